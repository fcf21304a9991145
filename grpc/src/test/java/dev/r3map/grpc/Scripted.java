package dev.r3map.grpc;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/** Memory that behaves as a test says: before each operation its script runs. */
final class Scripted implements Backend {
  @FunctionalInterface
  interface Script {
    void before(String operation) throws IOException, InterruptedException;
  }

  final MemoryBackend memory;
  final AtomicInteger writes = new AtomicInteger();
  final AtomicInteger syncs = new AtomicInteger();
  volatile Script script = operation -> {};
  volatile Geometry geometry = Geometry.ANY;
  volatile Optional<String> identity = Optional.empty();

  Scripted(long size) throws IOException {
    memory = MemoryBackend.of(size);
  }

  private void run(String operation) throws IOException {
    try {
      script.before(operation);
    } catch (InterruptedException e) {
      throw new java.io.InterruptedIOException("interrupted");
    }
  }

  @Override
  public long size() {
    return memory.size();
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    run("read");
    memory.read(dst, offset);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    run("write");
    writes.incrementAndGet();
    memory.write(src, offset);
  }

  @Override
  public void sync() throws IOException {
    run("sync");
    syncs.incrementAndGet();
    memory.sync();
  }

  @Override
  public Geometry geometry() {
    return geometry;
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    run("discard");
    memory.discard(offset, length);
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    run("zero");
    memory.zero(offset, length);
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    run("extents");
    return memory.extents(offset, length);
  }

  @Override
  public Optional<String> identity() {
    return identity;
  }

  @Override
  public void close() throws IOException {
    memory.close();
  }
}
