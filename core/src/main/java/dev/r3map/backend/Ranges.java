package dev.r3map.backend;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Checks and loops over byte ranges that backends share. */
public final class Ranges {
  /** Zeros are written in pieces of this size: large enough to amortize a call, small to keep. */
  private static final int ZERO_PIECE = 1 << 20;

  private Ranges() {}

  /**
   * Checks a range before any I/O.
   *
   * @throws IndexOutOfBoundsException unless {@code [offset, offset + length)} lies within {@code
   *     [0, size)}
   */
  public static void check(long offset, long length, long size) {
    if (offset < 0 || length < 0 || offset > size - length) {
      throw new IndexOutOfBoundsException(
          "range outside the resource (offset=%d, length=%d, size=%d)"
              .formatted(offset, length, size));
    }
  }

  static void writeZeros(Backend backend, long offset, long length) throws IOException {
    ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(length, ZERO_PIECE));
    for (long done = 0; done < length; ) {
      zeros.clear().limit((int) Math.min(length - done, zeros.capacity()));
      int piece = zeros.remaining();
      backend.write(zeros, offset + done);
      done += piece;
    }
  }
}
