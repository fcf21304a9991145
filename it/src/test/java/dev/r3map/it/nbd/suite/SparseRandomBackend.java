package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Ranges;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Random data between large holes. What is written must be what is there already. */
final class SparseRandomBackend implements Backend {
  private static final int RUN = 1 << 20;
  private static final int HOLES_OF_TEN = 9;
  private static final int MAX_EXTENTS = 1024;

  private final long size;
  private final long seed;

  SparseRandomBackend(long size, long seed) {
    this.size = size;
    this.seed = seed;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(ByteBuffer dst, long offset) {
    Ranges.check(offset, dst.remaining(), size);
    long at = offset;
    while (dst.hasRemaining()) {
      if ((at & 7) == 0 && dst.remaining() >= Long.BYTES) {
        dst.putLong(Long.reverseBytes(word(at)));
        at += Long.BYTES;
      } else {
        dst.put((byte) (word(at & -8) >>> (8 * (at & 7))));
        at++;
      }
    }
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    ByteBuffer here = ByteBuffer.allocate(src.remaining());
    read(here, offset);
    if (!src.equals(here.flip())) {
      throw new IOException("not what is there, at " + offset);
    }
    src.position(src.limit());
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    for (Extent extent : extents(offset, length)) {
      if (!extent.hole()) {
        throw new IOException("zeros over data, at " + extent.offset());
      }
    }
  }

  @Override
  public List<Extent> extents(long offset, long length) {
    Ranges.check(offset, length, size);
    List<Extent> extents = new ArrayList<>();
    long end = offset + length;
    for (long at = offset; at < end && extents.size() < MAX_EXTENTS; ) {
      boolean hole = isHole(at);
      long to = at;
      while (to < end && isHole(to) == hole) {
        to = Math.min(end, (to & -RUN) + RUN);
      }
      extents.add(new Extent(at, to - at, hole));
      at = to;
    }
    return extents;
  }

  private boolean isHole(long at) {
    return Long.remainderUnsigned(mix(at / RUN), 10) < HOLES_OF_TEN;
  }

  private long word(long at) {
    return isHole(at) ? 0 : mix(~at);
  }

  private long mix(long value) {
    long z = (value + seed) * 0x9e3779b97f4a7c15L;
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    return z ^ (z >>> 27);
  }

  @Override
  public void sync() {}

  @Override
  public void close() {}
}
