package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.EINVAL;

import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The payload of a block status: how many bytes it is about, and which contexts. */
final class StatusFilter {
  private static final int ID = Integer.BYTES;

  /** A length and one number for each context there can be, some of them twice. */
  static final int MAX_PAYLOAD = Long.BYTES + 16 * ID;

  private static final Rules.Violation BAD =
      new Rules.Violation(EINVAL, "the payload does not name contexts that were negotiated");

  private StatusFilter() {}

  /** Puts the length where that of other requests is, and the contexts beside it. */
  static Rules.@Nullable Violation apply(
      ByteBuffer payload, Request request, List<MetaContext> agreed) {
    if (payload.remaining() < Long.BYTES + ID || payload.remaining() % ID != 0) {
      return BAD;
    }
    request.length = payload.getLong();
    Set<MetaContext> wanted = EnumSet.noneOf(MetaContext.class);
    while (payload.hasRemaining()) {
      int id = payload.getInt();
      agreed.stream().filter(context -> context.id() == id).forEach(wanted::add);
      if (wanted.stream().noneMatch(context -> context.id() == id)) {
        return BAD;
      }
    }
    request.contexts = List.copyOf(wanted);
    return null;
  }
}
