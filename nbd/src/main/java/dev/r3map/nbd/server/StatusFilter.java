package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.EINVAL;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The payload of a block status: how many bytes it is about, and which contexts. */
final class StatusFilter {
  private static final int ID = Integer.BYTES;

  /** A length and one number for each context there can be, some of them twice. */
  static final int MAX_PAYLOAD = Long.BYTES + 16 * ID;

  private static final Rules.Violation BAD =
      new Rules.Violation(EINVAL, "the payload does not name contexts that were negotiated");

  private StatusFilter() {}

  /** Puts the length where that of other requests is. */
  static Rules.@Nullable Violation apply(ByteBuffer payload, Request request) {
    if (payload.remaining() < Long.BYTES + ID || payload.remaining() % ID != 0) {
      return BAD;
    }
    request.length = payload.getLong();
    while (payload.hasRemaining()) {
      if (payload.getInt() != MetaContexts.ALLOCATION_ID) {
        return BAD;
      }
    }
    return null;
  }
}
