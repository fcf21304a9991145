package dev.r3map.testkit;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Endless bytes that look random and follow from a seed and their offset: any range can be written
 * and verified without a copy of it. No byte is zero, so what was never written is never mistaken
 * for what was.
 */
public final class Payload {
  /** Makes every byte odd, hence not zero. */
  private static final long ODD = 0x0101010101010101L;

  private final long seed;

  private Payload(long seed) {
    this.seed = seed;
  }

  /** Two seeds give bytes that have nothing to do with each other. */
  public static Payload of(long seed) {
    return new Payload(mix(seed));
  }

  /** The byte at {@code offset}. */
  public byte at(long offset) {
    return (byte) (word(offset >>> 3) >>> ((offset & 7) << 3));
  }

  /** Fills the remaining space of {@code dst} with the bytes from {@code offset} on. */
  public void fill(ByteBuffer dst, long offset) {
    ByteBuffer view = dst.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    long at = offset;
    while (view.hasRemaining() && (at & 7) != 0) {
      view.put(at(at++));
    }
    for (; view.remaining() >= Long.BYTES; at += Long.BYTES) {
      view.putLong(word(at >>> 3));
    }
    while (view.hasRemaining()) {
      view.put(at(at++));
    }
    dst.position(dst.limit());
  }

  /** A new buffer with the {@code length} bytes from {@code offset} on. */
  public ByteBuffer bytes(long offset, int length) {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    fill(bytes, offset);
    return bytes.flip();
  }

  /**
   * Compares the remaining bytes of {@code src}, which stays as it is, with those from {@code
   * offset} on.
   *
   * @return the offset of the first one that differs, or -1
   */
  public long mismatch(ByteBuffer src, long offset) {
    ByteBuffer view = src.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    long at = offset;
    while (view.hasRemaining()) {
      if ((at & 7) == 0 && view.remaining() >= Long.BYTES) {
        long wrong = view.getLong() ^ word(at >>> 3);
        if (wrong != 0) {
          return at + Long.numberOfTrailingZeros(wrong) / Byte.SIZE;
        }
        at += Long.BYTES;
      } else if (view.get() == at(at)) {
        at++;
      } else {
        return at;
      }
    }
    return -1;
  }

  /**
   * Compares like {@link #mismatch}.
   *
   * @throws AssertionError if a byte differs, naming its offset and saying what it is instead
   */
  public void verify(ByteBuffer src, long offset) {
    long wrong = mismatch(src, offset);
    if (wrong >= 0) {
      byte actual = src.get(src.position() + Math.toIntExact(wrong - offset));
      throw new AssertionError(
          "byte %d is 0x%02x%s, not 0x%02x (range %d+%d)"
              .formatted(
                  wrong,
                  actual,
                  actual == 0 ? " as if never written" : "",
                  at(wrong),
                  offset,
                  src.remaining()));
    }
  }

  private long word(long index) {
    return mix(seed + index) | ODD;
  }

  /** The finalizer of SplitMix64, which turns a counter into good random numbers. */
  private static long mix(long counter) {
    long z = counter * 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
