package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.Ranges;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;

/** Bytes in memory, and what a test wants to happen before they are touched. */
public final class ScriptedBackend implements Backend {
  public final byte[] bytes;
  public final byte[] durable;
  public final AtomicInteger reads = new AtomicInteger();
  public final AtomicInteger writes = new AtomicInteger();
  public final AtomicInteger syncs = new AtomicInteger();
  public volatile Script onSize = (offset, length) -> {};
  public volatile Script onRead = (offset, length) -> {};
  public volatile Script afterRead = (offset, length) -> {};
  public volatile Script onWrite = (offset, length) -> {};
  public volatile Script afterWrite = (offset, length) -> {};
  public volatile Script onSync = (offset, length) -> {};
  public volatile int shortBy;
  public volatile Geometry geometry = Geometry.ANY;
  public volatile String identity = "v1";
  public volatile List<Extent> extents = List.of();

  /** Runs before the bytes are touched. */
  public interface Script {
    void run(long offset, long length) throws IOException;
  }

  public ScriptedBackend(int size) {
    bytes = new byte[size];
    new Random(size).nextBytes(bytes);
    durable = bytes.clone();
  }

  @Override
  public long size() throws IOException {
    onSize.run(0, 0);
    return bytes.length;
  }

  @Override
  public Geometry geometry() {
    return geometry;
  }

  @Override
  public Optional<String> identity() {
    return Optional.of(identity);
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    return extents.isEmpty() ? Backend.super.extents(offset, length) : extents;
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    Ranges.check(offset, dst.remaining(), bytes.length);
    reads.incrementAndGet();
    onRead.run(offset, dst.remaining());
    int length = dst.remaining();
    synchronized (bytes) {
      dst.put(bytes, (int) offset, length - shortBy);
    }
    afterRead.run(offset, length);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    Ranges.check(offset, src.remaining(), bytes.length);
    writes.incrementAndGet();
    int length = src.remaining();
    onWrite.run(offset, length);
    synchronized (bytes) {
      src.get(bytes, (int) offset, length);
    }
    afterWrite.run(offset, length);
  }

  @Override
  public void sync() throws IOException {
    syncs.incrementAndGet();
    onSync.run(0, 0);
    synchronized (bytes) {
      System.arraycopy(bytes, 0, durable, 0, bytes.length);
    }
  }

  @Override
  public void close() {}

  @Override
  public String toString() {
    return "scripted:";
  }
}
