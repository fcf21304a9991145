package dev.r3map.bench;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The bytes that every contender serves: random to look at, told by a seed and their offset. The
 * program {@code load} has the same functions. Offsets and lengths are multiples of 8.
 */
final class Payload {
  private static final long ODD = 0x0101010101010101L;

  private final long base;

  Payload(long seed) {
    base = mix(seed);
  }

  /** Fills the remaining space of {@code dst}. */
  void fill(ByteBuffer dst, long offset) {
    ByteBuffer view = dst.slice().order(ByteOrder.LITTLE_ENDIAN);
    long index = offset / Long.BYTES;
    while (view.hasRemaining()) {
      view.putLong(word(index++));
    }
    dst.position(dst.limit());
  }

  /** The sum of a range of the payload. */
  long sum(long offset, long length) {
    long total = 0;
    long end = (offset + length) / Long.BYTES;
    for (long index = offset / Long.BYTES; index < end; index++) {
      total += scramble(word(index), index);
    }
    return total;
  }

  /** The sum of the remaining bytes of {@code src}; those of the parts of a whole add up. */
  static long sum(ByteBuffer src, long offset) {
    ByteBuffer view = src.slice().order(ByteOrder.LITTLE_ENDIAN);
    long total = 0;
    int length = view.remaining();
    long index = offset / Long.BYTES;
    for (int at = 0; at < length; at += Long.BYTES) {
      total += scramble(view.getLong(at), index++);
    }
    return total;
  }

  /** The same of so many zeros. */
  static long sumOfZeros(long offset, long length) {
    long total = 0;
    long end = (offset + length) / Long.BYTES;
    for (long index = offset / Long.BYTES; index < end; index++) {
      total += scramble(0, index);
    }
    return total;
  }

  private long word(long index) {
    return mix(base + index) | ODD;
  }

  private static long scramble(long word, long index) {
    long x = (word ^ (index * 0x9E3779B97F4A7C15L)) * 0xD6E8FEB86659FD93L;
    return x ^ (x >>> 32);
  }

  private static long mix(long counter) {
    long z = counter * 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
