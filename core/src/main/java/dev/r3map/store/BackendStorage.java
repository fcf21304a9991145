package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.spi.LocalStorage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Any backend as a local store. It is not mapped, so frontends copy; the caller keeps owning it.
 */
final class BackendStorage implements LocalStorage {
  private final Backend backend;
  private final long size;

  BackendStorage(Backend backend, long size) throws IOException {
    if (backend.size() < size) {
      throw new IllegalArgumentException(
          "the local backend is too small: %d bytes for %d".formatted(backend.size(), size));
    }
    this.backend = backend;
    this.size = size;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public Optional<MemorySegment> mapping() {
    return Optional.empty();
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
  public void punch(long offset, long length) throws IOException {
    backend.zero(offset, length);
  }

  @Override
  public void force() throws IOException {
    backend.sync();
  }

  @Override
  public OptionalInt descriptor() {
    return OptionalInt.empty();
  }

  @Override
  public void close() {}
}
