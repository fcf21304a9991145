package dev.r3map.bench;

import dev.r3map.backend.Backend;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A resource that does not tell where its holes are. */
final class Opaque implements Backend {
  private final Backend backend;

  Opaque(Backend backend) {
    this.backend = backend;
  }

  @Override
  public long size() throws IOException {
    return backend.size();
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    backend.read(dst, offset);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    backend.write(src, offset);
  }

  @Override
  public void sync() throws IOException {
    backend.sync();
  }

  /** The other one's owner closes that. */
  @Override
  public void close() {}
}
