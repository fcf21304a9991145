package dev.r3map.spi;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.Ranges;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A file that is read and written through one mapping. The channel is closed as soon as the mapping
 * stands: an interrupt closes channels, and nothing may close this storage but its owner.
 */
final class MappedFile implements LocalStorage {
  private final Arena arena = Arena.ofShared();
  private final MemorySegment mapping;

  MappedFile(Path path, long size) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
      mapping = file.getChannel().map(MapMode.READ_WRITE, 0, size, arena);
    } catch (IOException | RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  @Override
  public long size() {
    return mapping.byteSize();
  }

  @Override
  public Optional<MemorySegment> mapping() {
    return Optional.of(mapping.asReadOnly());
  }

  @Override
  public void read(ByteBuffer dst, long offset) {
    Ranges.check(offset, dst.remaining(), size());
    MemorySegment.ofBuffer(dst).copyFrom(mapping.asSlice(offset, dst.remaining()));
    dst.position(dst.limit());
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    Ranges.check(offset, src.remaining(), size());
    try {
      mapping.asSlice(offset, src.remaining()).copyFrom(MemorySegment.ofBuffer(src));
    } catch (InternalError e) {
      // The JVM's form of SIGBUS: the file system had no block for a page.
      throw new NoSpaceException("no space left for the local store (offset=" + offset + ")");
    }
    src.position(src.limit());
  }

  @Override
  public void punch(long offset, long length) {
    mapping.asSlice(offset, length).fill((byte) 0);
  }

  @Override
  public void force() {
    mapping.force();
  }

  @Override
  public OptionalInt descriptor() {
    return OptionalInt.empty();
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
