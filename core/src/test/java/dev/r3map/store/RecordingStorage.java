package dev.r3map.store;

import dev.r3map.spi.LocalStorage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Bytes in memory, and what a store asked for beside reading and writing them. */
final class RecordingStorage implements LocalStorage {
  final List<String> calls = new ArrayList<>();
  private final byte[] bytes;
  Script onForce = () -> {};

  /** Runs before a call. */
  interface Script {
    void run() throws IOException;
  }

  RecordingStorage(long size) {
    bytes = new byte[Math.toIntExact(size)];
  }

  @Override
  public long size() {
    return bytes.length;
  }

  @Override
  public Optional<MemorySegment> mapping() {
    return Optional.empty();
  }

  @Override
  public void read(ByteBuffer dst, long offset) {
    dst.put(bytes, (int) offset, dst.remaining());
  }

  @Override
  public void write(ByteBuffer src, long offset) {
    src.get(bytes, (int) offset, src.remaining());
  }

  @Override
  public void punch(long offset, long length) {
    calls.add("punch " + offset + " " + length);
    write(ByteBuffer.allocate((int) length), offset);
  }

  @Override
  public void force() throws IOException {
    calls.add("force");
    onForce.run();
  }

  @Override
  public OptionalInt descriptor() {
    return OptionalInt.empty();
  }

  @Override
  public void close() {
    calls.add("close");
  }
}
