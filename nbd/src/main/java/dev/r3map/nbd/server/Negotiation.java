package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Handshake.FLAG_FIXED_NEWSTYLE;
import static dev.r3map.nbd.protocol.Handshake.FLAG_NO_ZEROES;
import static dev.r3map.nbd.protocol.Handshake.INFO_BLOCK_SIZE;
import static dev.r3map.nbd.protocol.Handshake.INFO_DESCRIPTION;
import static dev.r3map.nbd.protocol.Handshake.INFO_NAME;
import static dev.r3map.nbd.protocol.Handshake.MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPTION_HEADER;
import static dev.r3map.nbd.protocol.Handshake.OPTION_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPT_ABORT;
import static dev.r3map.nbd.protocol.Handshake.OPT_EXPORT_NAME;
import static dev.r3map.nbd.protocol.Handshake.OPT_EXTENDED_HEADERS;
import static dev.r3map.nbd.protocol.Handshake.OPT_GO;
import static dev.r3map.nbd.protocol.Handshake.OPT_INFO;
import static dev.r3map.nbd.protocol.Handshake.OPT_LIST;
import static dev.r3map.nbd.protocol.Handshake.OPT_LIST_META_CONTEXT;
import static dev.r3map.nbd.protocol.Handshake.OPT_SET_META_CONTEXT;
import static dev.r3map.nbd.protocol.Handshake.OPT_STARTTLS;
import static dev.r3map.nbd.protocol.Handshake.OPT_STRUCTURED_REPLY;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_EXT_HEADER_REQD;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_INVALID;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_PLATFORM;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_POLICY;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_SHUTDOWN;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_TLS_REQD;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_TOO_BIG;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_UNSUP;
import static dev.r3map.nbd.protocol.Handshake.ZEROES;

import dev.r3map.nbd.NbdExport;
import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The handshake of one connection: options are taken one after the other until one of them chooses
 * an export. It ends the connection by an exception where the specification leaves no answer.
 */
final class Negotiation {
  /** Far more than any option needs. */
  private static final int MAX_OPTION = 64 << 10;

  /** What is read to refuse an option politely; beyond it there is no point. */
  private static final int MAX_SKIPPED = 1 << 20;

  private static final int SKIPPED_AT_ONCE = 4096;

  private final Service service;
  private final Exports exports;

  /** Becomes an encrypted one when the client asks for that. */
  private Wire wire;

  private boolean encrypted;
  private boolean fixed;
  private boolean zeroes;
  private boolean structured;
  private boolean extended;

  /** What the contexts that were chosen last belong to. */
  private @Nullable String contextsOf;

  private List<MetaContext> contexts = List.of();

  Negotiation(Wire wire, Service service) {
    this.wire = wire;
    this.service = service;
    this.exports = service.exports();
  }

  /** What the client is to be talked to on from now on. */
  Wire wire() {
    return wire;
  }

  /**
   * Talks until the client has chosen.
   *
   * @return null if it wants nothing any more
   * @throws IOException if the client does what no answer is for
   */
  @Nullable Agreed run() throws IOException {
    greet();
    while (true) {
      ByteBuffer header = receive(OPTION_HEADER);
      if (header.getLong() != OPTION_MAGIC) {
        throw new IOException("what came is no option");
      }
      int option = header.getInt();
      long length = Integer.toUnsignedLong(header.getInt());
      OptionReplies replies = new OptionReplies(wire, option);
      if (!fixed && option != OPT_EXPORT_NAME) {
        throw new IOException("an option that only a client of fixed newstyle may send");
      }
      if (length > MAX_OPTION) {
        if (option == OPT_EXPORT_NAME) {
          throw new IOException("the name of an export has %d bytes".formatted(length));
        }
        skip(length);
        replies.error(REP_ERR_TOO_BIG, "no option is longer than " + MAX_OPTION + " bytes");
        continue;
      }
      OptionData data = new OptionData(receive((int) length));
      if (option == OPT_EXPORT_NAME) {
        return exportName(data);
      }
      if (option == OPT_ABORT) {
        abort(replies);
        return null;
      }
      try {
        Agreed agreed = answer(option, data, replies);
        if (agreed != null) {
          return agreed;
        }
      } catch (Refused e) {
        replies.error(e.reply(), Objects.requireNonNullElse(e.getMessage(), "refused"));
      }
    }
  }

  private void greet() throws IOException {
    send(
        ByteBuffer.allocate(18)
            .putLong(MAGIC)
            .putLong(OPTION_MAGIC)
            .putShort((short) (FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES)));
    int flags = receive(Integer.BYTES).getInt();
    if ((flags & ~(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES)) != 0) {
      throw new IOException("the client sets flags that were not offered: " + flags);
    }
    fixed = (flags & FLAG_FIXED_NEWSTYLE) != 0;
    zeroes = (flags & FLAG_NO_ZEROES) == 0;
  }

  private @Nullable Agreed answer(int option, OptionData data, OptionReplies replies)
      throws IOException, Refused {
    if (service.isStopping()) {
      throw new Refused(REP_ERR_SHUTDOWN, "the server is being shut down");
    }
    if (option != OPT_STARTTLS) {
      requireEncryption();
    }
    switch (option) {
      case OPT_LIST -> list(data, replies);
      case OPT_STRUCTURED_REPLY -> {
        data.end();
        if (extended) {
          throw new Refused(REP_ERR_EXT_HEADER_REQD, "extended headers were chosen already");
        }
        once(structured);
        structured = true;
        replies.ack();
      }
      case OPT_EXTENDED_HEADERS -> {
        data.end();
        once(extended);
        extended = true;
        structured = true;
        replies.ack();
      }
      case OPT_LIST_META_CONTEXT -> metaContexts(data, replies, false);
      case OPT_SET_META_CONTEXT -> metaContexts(data, replies, true);
      case OPT_INFO, OPT_GO -> {
        Export export = info(data, replies);
        if (option == OPT_GO) {
          return agreed(export);
        }
      }
      case OPT_STARTTLS -> startTls(data, replies);
      default -> throw new Refused(REP_ERR_UNSUP, "unknown option " + option);
    }
    return null;
  }

  private void requireEncryption() throws Refused {
    Encryption encryption = service.encryption();
    if (encryption != null && encryption.required() && !encrypted) {
      throw new Refused(REP_ERR_TLS_REQD, "this server requires TLS");
    }
  }

  /** What was agreed on in plaintext is void: somebody else may have said it. */
  private void startTls(OptionData data, OptionReplies replies) throws IOException, Refused {
    data.end();
    Encryption encryption = service.encryption();
    if (encryption == null) {
      throw new Refused(REP_ERR_POLICY, "this server has no TLS");
    }
    once(encrypted);
    replies.ack();
    wire = encryption.over(wire);
    encrypted = true;
    structured = false;
    extended = false;
    forgetContexts();
  }

  private void forgetContexts() {
    contextsOf = null;
    contexts = List.of();
  }

  private static void once(boolean before) throws Refused {
    if (before) {
      throw new Refused(REP_ERR_INVALID, "that was chosen already");
    }
  }

  private Agreed agreed(Export export) {
    return new Agreed(
        export, structured, extended, export.name().equals(contextsOf) ? contexts : List.of());
  }

  /** Has no way to refuse but to end the connection. */
  private Agreed exportName(OptionData data) throws IOException {
    if (extended) {
      throw new IOException("this option has no answer with extended headers");
    }
    Export export;
    try {
      requireEncryption();
      export = exports.find(data.rest(), encrypted);
    } catch (Refused e) {
      throw new IOException(e.getMessage(), e);
    }
    send(
        ByteBuffer.allocate(10 + (zeroes ? ZEROES : 0))
            .putLong(export.size())
            .putShort((short) export.flags(structured, false))
            .position(10 + (zeroes ? ZEROES : 0)));
    return agreed(export);
  }

  private static void abort(OptionReplies replies) {
    try {
      replies.ack();
    } catch (IOException e) {
      // It need not wait for the answer.
      return;
    }
  }

  private void list(OptionData data, OptionReplies replies) throws IOException, Refused {
    data.end();
    if (!service.isListing()) {
      throw new Refused(REP_ERR_POLICY, "this server does not tell what it exports");
    }
    List<NbdExport> all;
    try {
      all = exports.visible(encrypted);
    } catch (IOException e) {
      throw new Refused(REP_ERR_PLATFORM, Failures.message(e));
    }
    for (NbdExport export : all) {
      replies.server(export.name(), export.description());
    }
    replies.ack();
  }

  private Export info(OptionData data, OptionReplies replies) throws IOException, Refused {
    String name = data.string();
    int count = data.unsignedShort();
    boolean wantsName = false;
    boolean wantsDescription = false;
    boolean wantsBlockSize = false;
    for (int i = 0; i < count; i++) {
      int wanted = data.unsignedShort();
      wantsName |= wanted == INFO_NAME;
      wantsDescription |= wanted == INFO_DESCRIPTION;
      wantsBlockSize |= wanted == INFO_BLOCK_SIZE;
    }
    data.end();
    Export export = exports.find(name, encrypted);
    replies.infoExport(export.size(), export.flags(structured, extended));
    if (wantsName) {
      replies.infoName(export.name());
    }
    if (wantsDescription && !export.description().isEmpty()) {
      replies.infoDescription(export.description());
    }
    // Who did not ask is told all the same: it cannot work with less where there is a minimum.
    if (wantsBlockSize || export.minimum() > 1) {
      replies.infoBlockSize(export);
    }
    replies.ack();
    return export;
  }

  private void metaContexts(OptionData data, OptionReplies replies, boolean set)
      throws IOException, Refused {
    if (set) {
      // What was chosen before is gone, also when this fails.
      forgetContexts();
    }
    if (!structured) {
      throw new Refused(REP_ERR_INVALID, "contexts need structured replies, to be chosen before");
    }
    String name = data.string();
    long count = data.unsignedInt();
    List<String> queries = new ArrayList<>();
    for (long i = 0; i < count; i++) {
      queries.add(data.string());
    }
    data.end();
    Export export = exports.find(name, encrypted);
    List<MetaContext> found =
        set
            ? MetaContext.named(export.contexts(), queries)
            : MetaContext.matching(export.contexts(), queries);
    for (MetaContext context : found) {
      replies.metaContext(context);
    }
    if (set) {
      contextsOf = export.name();
      contexts = found;
    }
    replies.ack();
  }

  private ByteBuffer receive(int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(length);
    wire.readFully(buffer);
    return buffer.flip();
  }

  private void send(ByteBuffer message) throws IOException {
    wire.write(new ByteBuffer[] {message.flip()}, 1);
  }

  private void skip(long length) throws IOException {
    if (length > MAX_SKIPPED) {
      throw new IOException("an option of %d bytes".formatted(length));
    }
    // Nobody gets memory for announcing bytes that are not wanted.
    for (long left = length; left > 0; ) {
      left -= receive((int) Math.min(left, SKIPPED_AT_ONCE)).limit();
    }
  }
}
