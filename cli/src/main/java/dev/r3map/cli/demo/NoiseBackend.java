package dev.r3map.cli.demo;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.ReadOnlyException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/** Bytes that look random, take no memory and are always the same. Cannot be written. */
public final class NoiseBackend implements Backend {
  private final long size;

  public NoiseBackend(long size) {
    this.size = size;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(ByteBuffer dst, long offset) {
    if (offset < 0 || offset > size - dst.remaining()) {
      throw new IndexOutOfBoundsException(
          "offset=%d, length=%d, size=%d".formatted(offset, dst.remaining(), size));
    }
    ByteOrder order = dst.order();
    dst.order(ByteOrder.LITTLE_ENDIAN);
    long at = offset;
    while (dst.hasRemaining()) {
      long word = word(at >>> 3);
      int skip = (int) (at & 7);
      if (skip == 0 && dst.remaining() >= Long.BYTES) {
        dst.putLong(word);
        at += Long.BYTES;
      } else {
        dst.put((byte) (word >>> (8 * skip)));
        at++;
      }
    }
    dst.order(order);
  }

  /** SplitMix64, by Sebastiano Vigna: good noise from a counter. */
  private static long word(long index) {
    long z = (index + 1) * 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    throw new ReadOnlyException("noise cannot be written");
  }

  @Override
  public void sync() {}

  @Override
  public Geometry geometry() {
    return Geometry.ANY.asReadOnly();
  }

  @Override
  public Optional<String> identity() {
    return Optional.of("noise-" + size);
  }

  @Override
  public void close() {}

  @Override
  public String toString() {
    return "noise";
  }
}
