package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Ranges;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.List;

/** Nothing but zeros, whatever is written. */
record NullBackend(long size) implements Backend {
  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    Ranges.check(offset, dst.remaining(), size);
    MemorySegment.ofBuffer(dst).fill((byte) 0);
    dst.position(dst.limit());
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    Ranges.check(offset, src.remaining(), size);
    src.position(src.limit());
  }

  @Override
  public void zero(long offset, long length) {
    Ranges.check(offset, length, size);
  }

  @Override
  public List<Extent> extents(long offset, long length) {
    return length == 0 ? List.of() : List.of(Extent.hole(offset, length));
  }

  @Override
  public void sync() {}

  @Override
  public void close() {}
}
