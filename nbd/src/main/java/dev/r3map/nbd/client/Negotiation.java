package dev.r3map.nbd.client;

import static dev.r3map.nbd.protocol.Handshake.FLAG_FIXED_NEWSTYLE;
import static dev.r3map.nbd.protocol.Handshake.FLAG_NO_ZEROES;
import static dev.r3map.nbd.protocol.Handshake.INFO_BLOCK_SIZE;
import static dev.r3map.nbd.protocol.Handshake.INFO_DESCRIPTION;
import static dev.r3map.nbd.protocol.Handshake.INFO_EXPORT;
import static dev.r3map.nbd.protocol.Handshake.MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OLDSTYLE_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPTION_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPT_ABORT;
import static dev.r3map.nbd.protocol.Handshake.OPT_EXPORT_NAME;
import static dev.r3map.nbd.protocol.Handshake.OPT_EXTENDED_HEADERS;
import static dev.r3map.nbd.protocol.Handshake.OPT_GO;
import static dev.r3map.nbd.protocol.Handshake.OPT_LIST;
import static dev.r3map.nbd.protocol.Handshake.OPT_SET_META_CONTEXT;
import static dev.r3map.nbd.protocol.Handshake.OPT_STARTTLS;
import static dev.r3map.nbd.protocol.Handshake.OPT_STRUCTURED_REPLY;
import static dev.r3map.nbd.protocol.Handshake.REP_ACK;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_SHUTDOWN;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_TLS_REQD;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_UNKNOWN;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_UNSUP;
import static dev.r3map.nbd.protocol.Handshake.REP_INFO;
import static dev.r3map.nbd.protocol.Handshake.REP_META_CONTEXT;
import static dev.r3map.nbd.protocol.Handshake.REP_SERVER;
import static dev.r3map.nbd.protocol.Handshake.ZEROES;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.nbd.wire.Wire;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The handshake of one connection: asks for the newest form of everything and takes what there is.
 */
final class Negotiation {
  private static final String ALLOCATION = "base:allocation";

  /** More exports than anybody lists. */
  private static final int MOST_LISTED = 10_000;

  /** As many as fit a message. */
  private static final int MOST_SHOWN = 20;

  private final OptionWire options;
  private final String export;
  private boolean fixed;
  private boolean zeroes;

  Negotiation(Wire wire, String export) {
    this.options = new OptionWire(wire);
    this.export = export;
  }

  /** Reads the greeting and answers it. */
  void greet() throws IOException {
    ByteBuffer greeting = options.receive(16);
    if (greeting.getLong() != MAGIC) {
      throw new PermanentIOException("what answers there is no NBD server");
    }
    long second = greeting.getLong();
    if (second == OLDSTYLE_MAGIC) {
      throw new PermanentIOException(
          "the server speaks the oldstyle NBD of before 2010; start it with newstyle (nbdkit -n)");
    }
    if (second != OPTION_MAGIC) {
      throw new PermanentIOException("what answers there is no NBD server");
    }
    int flags = Short.toUnsignedInt(options.receive(Short.BYTES).getShort());
    fixed = (flags & FLAG_FIXED_NEWSTYLE) != 0;
    zeroes = (flags & FLAG_NO_ZEROES) == 0;
    int understood = flags & (FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
    options.send(ByteBuffer.allocate(Integer.BYTES).putInt(understood));
  }

  /** Asks to encrypt what follows, which goes {@link #over} another wire then. */
  void startTls() throws IOException {
    if (!fixed) {
      throw new PermanentIOException("the server has no TLS: it is too old");
    }
    options.ask(OPT_STARTTLS, ByteBuffer.allocate(0));
    OptionWire.Reply reply = options.reply();
    if (reply.type() != REP_ACK) {
      throw new PermanentIOException("the server offers no TLS" + reply.inParentheses());
    }
  }

  /** The same conversation, going on over another wire. */
  Negotiation over(Wire wire) {
    Negotiation next = new Negotiation(wire, export);
    next.fixed = fixed;
    next.zeroes = zeroes;
    return next;
  }

  /** Chooses the export. */
  Terms choose() throws IOException {
    if (!fixed) {
      return exportName(Mode.SIMPLE, null);
    }
    Mode mode = mode();
    Integer context = mode == Mode.SIMPLE ? null : allocationContext();
    Terms terms = go(mode, context);
    return terms != null ? terms : exportName(mode, context);
  }

  private Mode mode() throws IOException {
    if (agrees(OPT_EXTENDED_HEADERS)) {
      return Mode.EXTENDED;
    }
    return agrees(OPT_STRUCTURED_REPLY) ? Mode.STRUCTURED : Mode.SIMPLE;
  }

  private boolean agrees(int option) throws IOException {
    options.ask(option, ByteBuffer.allocate(0));
    OptionWire.Reply reply = options.reply();
    refuseIfFinal(reply);
    return reply.type() == REP_ACK;
  }

  private @Nullable Integer allocationContext() throws IOException {
    ByteBuffer data = named(export, 8 + ALLOCATION.length()).putInt(1).putInt(ALLOCATION.length());
    options.ask(OPT_SET_META_CONTEXT, data.put(ALLOCATION.getBytes(StandardCharsets.US_ASCII)));
    Integer context = null;
    while (true) {
      OptionWire.Reply reply = options.reply();
      if (reply.type() != REP_META_CONTEXT) {
        refuseIfFinal(reply);
        return reply.type() == REP_ACK ? context : null;
      }
      ByteBuffer answer = reply.data(Integer.BYTES);
      int number = answer.getInt();
      if (StandardCharsets.UTF_8.decode(answer).toString().equals(ALLOCATION)) {
        context = number;
      }
    }
  }

  /** Null if the server is older than this option. */
  private @Nullable Terms go(Mode mode, @Nullable Integer context) throws IOException {
    options.ask(
        OPT_GO,
        named(export, 6)
            .putShort((short) 2)
            .putShort((short) INFO_BLOCK_SIZE)
            .putShort((short) INFO_DESCRIPTION));
    long size = -1;
    int flags = 0;
    Terms.Limits limits = Terms.Limits.UNKNOWN;
    String description = "";
    while (true) {
      OptionWire.Reply reply = options.reply();
      if (reply.type() == REP_ACK) {
        if (size < 0) {
          throw new MalformedException("an export of unknown size");
        }
        return new Terms(mode, size, flags, limits, context, description);
      }
      if (reply.type() == REP_ERR_UNSUP && mode != Mode.EXTENDED) {
        return null;
      }
      if (reply.type() == REP_ERR_UNKNOWN) {
        throw unknown(reply);
      }
      if (reply.type() != REP_INFO) {
        throw refused(reply);
      }
      ByteBuffer info = reply.data(Short.BYTES);
      switch (info.getShort()) {
        case INFO_EXPORT -> {
          OptionWire.require(info, 10);
          size = size(info.getLong());
          flags = Short.toUnsignedInt(info.getShort());
        }
        case INFO_BLOCK_SIZE -> {
          OptionWire.require(info, 12);
          limits = Terms.Limits.of(unsigned(info), unsigned(info), unsigned(info));
        }
        case INFO_DESCRIPTION -> {
          byte[] text = new byte[info.remaining()];
          info.get(text);
          description = Texts.clean(text);
        }
        default -> {
          // The specification lets servers tell more than they are asked for.
        }
      }
    }
  }

  private Terms exportName(Mode mode, @Nullable Integer context) throws IOException {
    options.ask(OPT_EXPORT_NAME, ByteBuffer.wrap(utf8(export)).position(utf8(export).length));
    ByteBuffer answer;
    try {
      answer = options.receive(10 + (zeroes ? ZEROES : 0));
    } catch (EOFException e) {
      throw new IOException(
          "the server ended the connection when asked for the export '%s': it may not have it"
              .formatted(export),
          e);
    }
    long size = size(answer.getLong());
    int flags = Short.toUnsignedInt(answer.getShort());
    return new Terms(mode, size, flags, Terms.Limits.UNKNOWN, context, "");
  }

  /** The names that the server gives out, and then nothing more. */
  List<String> list() throws IOException {
    if (!fixed) {
      throw new PermanentIOException("the server is too old to list what it exports");
    }
    options.ask(OPT_LIST, ByteBuffer.allocate(0));
    List<String> names = new ArrayList<>();
    while (true) {
      OptionWire.Reply reply = options.reply();
      if (reply.type() == REP_ACK) {
        options.ask(OPT_ABORT, ByteBuffer.allocate(0));
        return names;
      }
      if (reply.type() != REP_SERVER) {
        throw refused(reply);
      }
      if (names.size() == MOST_LISTED) {
        throw new MalformedException("more than %d exports".formatted(MOST_LISTED));
      }
      ByteBuffer server = reply.data(Integer.BYTES);
      long length = unsigned(server);
      OptionWire.require(server, length);
      byte[] name = new byte[(int) length];
      server.get(name);
      names.add(new String(name, StandardCharsets.UTF_8));
    }
  }

  /** What no older option can mend. */
  private void refuseIfFinal(OptionWire.Reply reply) throws IOException {
    if (reply.type() == REP_ERR_TLS_REQD || reply.type() == REP_ERR_SHUTDOWN) {
      throw refused(reply);
    }
  }

  /** With what the server has instead, if it tells. */
  private IOException unknown(OptionWire.Reply reply) throws IOException {
    String what = export.isEmpty() ? "no default export" : "no export '" + export + "'";
    String message = "the server has " + what + reply.inParentheses();
    List<String> names;
    try {
      names = list();
    } catch (PermanentIOException e) {
      // It keeps that to itself.
      return new PermanentIOException(message, e);
    }
    String shown =
        names.stream().limit(MOST_SHOWN).map(Texts::clean).collect(Collectors.joining(", "));
    String more = names.size() > MOST_SHOWN ? ", and " + (names.size() - MOST_SHOWN) + " more" : "";
    return new PermanentIOException(
        names.isEmpty() ? message : message + "; it has: " + shown + more);
  }

  private IOException refused(OptionWire.Reply reply) {
    String said = reply.inParentheses();
    return switch (reply.type()) {
      case REP_ERR_TLS_REQD ->
          new PermanentIOException("the server wants TLS: use nbds: instead of nbd:" + said);
      case REP_ERR_SHUTDOWN -> new IOException("the server is shutting down" + said);
      default ->
          reply.isError()
              ? new PermanentIOException("the server refuses the export" + said)
              : new MalformedException("the reply 0x%x to an option".formatted(reply.type()));
    };
  }

  private static long size(long size) throws IOException {
    if (size < 0) {
      throw new PermanentIOException("an export of 2^63 bytes or more");
    }
    return size;
  }

  private static long unsigned(ByteBuffer buffer) {
    return Integer.toUnsignedLong(buffer.getInt());
  }

  /** A buffer that begins with a name, and has room for more. */
  private static ByteBuffer named(String name, int more) {
    byte[] bytes = utf8(name);
    return ByteBuffer.allocate(Integer.BYTES + bytes.length + more).putInt(bytes.length).put(bytes);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
