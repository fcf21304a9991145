package dev.r3map.nbd.server;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Finds zeros in what was read, so that they need not travel. */
final class ZeroRuns {
  /** The unit of looking: a run of fewer zeros is not worth a chunk of its own. */
  static final int BLOCK = 4096;

  private static final MemorySegment ZEROS =
      MemorySegment.ofBuffer(ByteBuffer.allocateDirect(BLOCK));

  private ZeroRuns() {}

  /** Whether all bytes of a range are zero; quick if the first ones are not. */
  static boolean isZero(MemorySegment bytes, long from, long to) {
    for (long at = from; at < to; at += BLOCK) {
      long end = Math.min(at + BLOCK, to);
      if (MemorySegment.mismatch(bytes, at, end, ZEROS, 0, end - at) >= 0) {
        return false;
      }
    }
    return true;
  }

  /** Where the run that begins at {@code from} ends; it is of zeros or of data throughout. */
  static long end(MemorySegment bytes, long from, long to, boolean zeros) {
    long at = from;
    while (at < to && isZero(bytes, at, Math.min(at + BLOCK, to)) == zeros) {
      at = Math.min(at + BLOCK, to);
    }
    return at;
  }
}
