package dev.r3map.cli.copy;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import java.io.IOException;

/** In what pieces two resources are read and written. */
public final class Chunking {
  /** Large enough that the time of a request hardly counts on a LAN. */
  private static final int DEFAULT_CHUNK = 1 << 20;

  private Chunking() {}

  /**
   * The size of a chunk that both sides take.
   *
   * @param wanted what the user asked for, 0 if nothing
   * @throws IllegalArgumentException if that is not possible
   */
  public static int choose(int wanted, Backend source, Backend target) throws IOException {
    Geometry from = source.geometry();
    Geometry to = target.geometry();
    int least = leastCommonMultiple(from.requiredChunk(), to.requiredChunk());
    int most = Math.min(from.maxTransfer(), to.maxTransfer());
    int chunk = wanted != 0 ? wanted : up(Math.min(DEFAULT_CHUNK, most), least);
    if (chunk % least != 0) {
      throw new IllegalArgumentException(
          "the chunk size %d is not a multiple of the %d that is required".formatted(chunk, least));
    }
    if (chunk > most) {
      throw new IllegalArgumentException(
          "the chunk size %d is more than the %d that can be transferred at once"
              .formatted(chunk, most));
    }
    return chunk;
  }

  /** {@code end} in whole chunks; the last one of the resource may be short. */
  static long down(long end, int chunkSize, long size) {
    return end == size ? end : end - end % chunkSize;
  }

  static int up(int value, int multiple) {
    return Math.multiplyExact(Math.ceilDiv(value, multiple), multiple);
  }

  private static int leastCommonMultiple(int a, int b) {
    int x = a;
    int y = b;
    while (y != 0) {
      int rest = x % y;
      x = y;
      y = rest;
    }
    return Math.multiplyExact(a / x, b);
  }
}
