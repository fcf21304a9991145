package dev.r3map.it.data;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;

/** Read-only bytes that take no space, of any size, and without a hole. */
record PayloadBackend(Payload payload, long size) implements Backend {

  @Override
  public void read(ByteBuffer dst, long offset) {
    Objects.checkFromIndexSize(offset, dst.remaining(), size);
    payload.fill(dst, offset);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    throw new ReadOnlyException("the payload cannot be written");
  }

  @Override
  public void sync() {}

  @Override
  public Geometry geometry() {
    return Geometry.ANY.asReadOnly();
  }

  @Override
  public void close() {}
}
