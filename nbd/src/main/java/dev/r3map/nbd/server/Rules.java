package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.CMD_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.CMD_CACHE;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_DF;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_FAST_ZERO;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_FUA;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_NO_HOLE;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_PAYLOAD_LEN;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_REQ_ONE;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLUSH;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_TRIM;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE_ZEROES;
import static dev.r3map.nbd.protocol.Transmission.EINVAL;
import static dev.r3map.nbd.protocol.Transmission.ENOSPC;
import static dev.r3map.nbd.protocol.Transmission.EPERM;

import org.jspecify.annotations.Nullable;

/** What a request must keep to. Every rule is one of the specification's. */
final class Rules {
  /** Why a request is refused: the error for machines, and the text for people. */
  record Violation(int error, String message) {}

  private static final Violation UNKNOWN = new Violation(EINVAL, "unknown command");
  private static final Violation FLAGS = new Violation(EINVAL, "a flag that does not fit");
  private static final Violation READ_ONLY = new Violation(EPERM, "the export is read-only");
  private static final Violation NOTHING = new Violation(EINVAL, "a request for no bytes");
  private static final Violation FLUSHES_ALL =
      new Violation(EINVAL, "a flush has no offset and no length");
  private static final Violation OUTSIDE =
      new Violation(EINVAL, "the range is not within the export");
  private static final Violation BEYOND =
      new Violation(ENOSPC, "the range is not within the export");
  private static final Violation UNALIGNED =
      new Violation(EINVAL, "the range does not keep to the minimum block size");
  private static final Violation LARGE =
      new Violation(EINVAL, "more than the maximum block size at once");
  private static final Violation NO_CONTEXT =
      new Violation(EINVAL, "no metadata context was negotiated");

  private final Export export;
  private final Agreed agreed;

  Rules(Agreed agreed) {
    this.agreed = agreed;
    this.export = agreed.export();
  }

  /** Null if the request is good. The length of a block status with a payload is not looked at. */
  @Nullable Violation check(Request request) {
    int type = request.type;
    int allowed = allowedFlags(type);
    if (allowed < 0) {
      return UNKNOWN;
    }
    if ((request.flags & ~allowed) != 0) {
      return FLAGS;
    }
    if (type == CMD_FLUSH) {
      return request.offset == 0 && request.length == 0 ? null : FLUSHES_ALL;
    }
    boolean changes = type == CMD_WRITE || type == CMD_TRIM || type == CMD_WRITE_ZEROES;
    if (changes && export.readOnly()) {
      return READ_ONLY;
    }
    if (type == CMD_WRITE && agreed.extended() && !request.has(CMD_FLAG_PAYLOAD_LEN)) {
      return FLAGS;
    }
    if (type == CMD_BLOCK_STATUS) {
      if (agreed.contexts().isEmpty()) {
        return NO_CONTEXT;
      }
      if (request.has(CMD_FLAG_PAYLOAD_LEN)) {
        return request.length == 0 ? NOTHING : null;
      }
    }
    return checkRange(request, type == CMD_WRITE || type == CMD_WRITE_ZEROES ? BEYOND : OUTSIDE);
  }

  /** The part of {@link #check} that is about where and how much. */
  @Nullable Violation checkRange(Request request, Violation outside) {
    if (request.length == 0) {
      return NOTHING;
    }
    long size = export.size();
    if (Long.compareUnsigned(request.length, size) > 0
        || Long.compareUnsigned(request.offset, size - request.length) > 0) {
      return outside;
    }
    long mask = export.minimum() - 1L;
    boolean toEnd = request.offset + request.length == size;
    if ((request.offset & mask) != 0 || ((request.length & mask) != 0 && !toEnd)) {
      return UNALIGNED;
    }
    boolean carries = request.type == CMD_READ || request.type == CMD_WRITE;
    return carries && request.length > export.maximum() ? LARGE : null;
  }

  /** The range of a block status that came as payload. */
  @Nullable Violation checkRange(Request request) {
    return checkRange(request, OUTSIDE);
  }

  /** -1 for what is no command. FUA goes with each of them. */
  private int allowedFlags(int type) {
    return CMD_FLAG_FUA
        | switch (type) {
          case CMD_READ -> agreed.structured() ? CMD_FLAG_DF : 0;
          case CMD_WRITE -> agreed.extended() ? CMD_FLAG_PAYLOAD_LEN : 0;
          case CMD_FLUSH, CMD_TRIM, CMD_CACHE -> 0;
          case CMD_WRITE_ZEROES -> CMD_FLAG_NO_HOLE | CMD_FLAG_FAST_ZERO;
          case CMD_BLOCK_STATUS ->
              CMD_FLAG_REQ_ONE | (agreed.extended() ? CMD_FLAG_PAYLOAD_LEN : 0);
          default -> -1;
        };
  }
}
