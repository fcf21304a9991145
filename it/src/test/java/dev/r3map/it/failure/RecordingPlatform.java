package dev.r3map.it.failure;

import dev.r3map.backend.Extent;
import dev.r3map.linux.storage.LinuxPlatform;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.Platform;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The platform of Linux, with somebody who looks before, in the middle of and after each change of
 * one file. It is found by a child that has {@code recording-platform} on its class path.
 */
public final class RecordingPlatform implements Platform {
  private static final int PAGE = 4096;

  private static volatile Optional<Path> watched = Optional.empty();
  private static volatile Observer observer = new Observer() {};

  private final LinuxPlatform linux = new LinuxPlatform();

  /** Is told of what happens to the file; all on the thread that does it. */
  interface Observer {
    default void moment(String what) {}

    default void written(ByteBuffer bytes, long offset) {}

    default void forced() {}
  }

  /** Watches a file that is opened later. */
  static void watch(Path file, Observer by) {
    watched = Optional.of(file);
    observer = by;
  }

  @Override
  public LocalStorage memory(long size) throws IOException {
    return linux.memory(size);
  }

  @Override
  public LocalStorage file(Path path, long size) throws IOException {
    LocalStorage storage = linux.file(path, size);
    return watched.equals(Optional.of(path)) ? new Recording(storage) : storage;
  }

  @Override
  public List<Extent> extents(Path file, long offset, long length) throws IOException {
    return linux.extents(file, offset, length);
  }

  @Override
  public boolean punch(Path file, long offset, long length) throws IOException {
    return linux.punch(file, offset, length);
  }

  private record Recording(LocalStorage storage) implements LocalStorage {
    @Override
    public long size() {
      return storage.size();
    }

    @Override
    public Optional<MemorySegment> mapping() {
      return storage.mapping();
    }

    @Override
    public void read(ByteBuffer dst, long offset) throws IOException {
      storage.read(dst, offset);
    }

    /** Page by page, as the kernel does, which may be killed between two pages. */
    @Override
    public void write(ByteBuffer src, long offset) throws IOException {
      observer.moment("before a write");
      for (long at = offset; src.hasRemaining(); ) {
        int length = (int) Math.min(src.remaining(), PAGE - at % PAGE);
        ByteBuffer page = src.slice(src.position(), length);
        storage.write(page, at);
        observer.written(page.flip(), at);
        observer.moment("in a write");
        src.position(src.position() + length);
        at += length;
      }
    }

    @Override
    public void punch(long offset, long length) throws IOException {
      observer.moment("before a punch");
      storage.punch(offset, length);
      observer.written(ByteBuffer.allocate(Math.toIntExact(length)), offset);
      observer.moment("after a punch");
    }

    @Override
    public void force() throws IOException {
      observer.moment("before a force");
      storage.force();
      observer.forced();
      observer.moment("after a force");
    }

    @Override
    public OptionalInt descriptor() {
      return storage.descriptor();
    }

    @Override
    public void close() throws IOException {
      storage.close();
    }
  }
}
