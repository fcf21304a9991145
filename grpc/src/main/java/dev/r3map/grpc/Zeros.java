package dev.r3map.grpc;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** Finds and makes runs of zeros. */
final class Zeros {
  private static final int BLOCK = 4096;

  /** Sending this much takes as long as another message does. */
  private static final int WORTH_A_MESSAGE = 16 << 10;

  private static final byte[] BLOCK_OF_ZEROS = new byte[BLOCK];

  private Zeros() {}

  /** Puts {@code count} zeros into {@code dst}. */
  static void fill(ByteBuffer dst, int count) {
    for (int left = count; left > 0; ) {
      int n = Math.min(left, BLOCK);
      dst.put(BLOCK_OF_ZEROS, 0, n);
      left -= n;
    }
  }

  /**
   * How many bytes from {@code start} on are to travel as data before the next run of zeros that is
   * worth a message of its own; 0 if that run begins here.
   */
  static int dataRun(byte[] bytes, int start, int end) {
    int at = start;
    while (at < end) {
      int zeros = zeroRun(bytes, at, end);
      if (zeros >= WORTH_A_MESSAGE || zeros == end - start) {
        break;
      }
      at += zeros;
      while (at < end && !isZero(bytes, at, Math.min(at + BLOCK, end))) {
        at = Math.min(at + BLOCK, end);
      }
    }
    return at - start;
  }

  /** How many bytes from {@code start} on are zero, in whole blocks; the last one may be short. */
  static int zeroRun(byte[] bytes, int start, int end) {
    int at = start;
    while (at < end && isZero(bytes, at, Math.min(at + BLOCK, end))) {
      at = Math.min(at + BLOCK, end);
    }
    return at - start;
  }

  private static boolean isZero(byte[] bytes, int from, int to) {
    // The first byte decides nearly always, without the price of a call.
    return bytes[from] == 0 && Arrays.mismatch(bytes, from, to, BLOCK_OF_ZEROS, 0, to - from) < 0;
  }
}
