package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;

/** What is written stays here, in blocks, and what is below is not touched. */
final class CowBackend extends ForwardingBackend {
  private static final int BLOCK = 64 << 10;

  private final Backend below;
  private final MemoryBackend above;
  private final BitSet written = new BitSet();

  CowBackend(Backend below) throws IOException {
    super(below);
    this.below = below;
    this.above = MemoryBackend.of(below.size());
  }

  @Override
  public synchronized void read(ByteBuffer dst, long offset) throws IOException {
    int limit = dst.limit();
    long at = offset;
    while (dst.position() < limit) {
      int here = (int) Math.min(limit - dst.position(), BLOCK - at % BLOCK);
      dst.limit(dst.position() + here);
      (written.get((int) (at / BLOCK)) ? above : below).read(dst, at);
      at += here;
      dst.limit(limit);
    }
  }

  @Override
  public synchronized void write(ByteBuffer src, long offset) throws IOException {
    long last = (offset + src.remaining() - 1) / BLOCK;
    for (long block = offset / BLOCK; block <= last; block++) {
      if (!written.get((int) block)) {
        long at = block * BLOCK;
        ByteBuffer copy = ByteBuffer.allocate((int) Math.min(BLOCK, size() - at));
        below.read(copy, at);
        above.write(copy.flip(), at);
        written.set((int) block);
      }
    }
    above.write(src, offset);
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    write(ByteBuffer.allocate(Math.toIntExact(length)), offset);
  }

  @Override
  public void discard(long offset, long length) {
    // A hint.
  }

  @Override
  public void sync() {}
}
