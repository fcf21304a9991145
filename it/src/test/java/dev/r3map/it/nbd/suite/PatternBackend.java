package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Ranges;
import dev.r3map.backend.ReadOnlyException;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Every eight bytes say at which offset they are. */
record PatternBackend(long size) implements Backend {
  @Override
  public void read(ByteBuffer dst, long offset) {
    Ranges.check(offset, dst.remaining(), size);
    long at = offset;
    while (dst.hasRemaining()) {
      if ((at & 7) == 0 && dst.remaining() >= Long.BYTES) {
        dst.putLong(at);
        at += Long.BYTES;
      } else {
        dst.put((byte) ((at & -8) >>> (56 - 8 * (at & 7))));
        at++;
      }
    }
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    throw new ReadOnlyException("a pattern cannot be written");
  }

  @Override
  public void sync() {}

  @Override
  public void close() {}
}
