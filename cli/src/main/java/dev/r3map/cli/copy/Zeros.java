package dev.r3map.cli.copy;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Finds zeros, at about the speed of memory. */
final class Zeros {
  /** What memory and file systems take and free space in. */
  static final int BLOCK = 4096;

  private static final MemorySegment BLOCK_OF_ZEROS =
      MemorySegment.ofBuffer(ByteBuffer.allocateDirect(BLOCK)).asReadOnly();

  private Zeros() {}

  /** Whether every byte of a range is zero. */
  static boolean isZero(MemorySegment bytes, long from, long to) {
    for (long at = from; at < to; at += BLOCK) {
      long length = Math.min(BLOCK, to - at);
      if (MemorySegment.mismatch(bytes, at, at + length, BLOCK_OF_ZEROS, 0, length) >= 0) {
        return false;
      }
    }
    return true;
  }

  /**
   * Where the run of blocks ends that begins at {@code from} and is all zeros, or has none that is.
   *
   * @param unit the size of such a block
   */
  static long endOfRun(MemorySegment bytes, long from, boolean zero, int unit) {
    long at = from;
    long end = bytes.byteSize();
    while (at < end && isZero(bytes, at, Math.min(end, at + unit)) == zero) {
      at += unit;
    }
    return Math.min(end, at);
  }
}
