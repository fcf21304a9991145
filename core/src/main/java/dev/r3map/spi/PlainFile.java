package dev.r3map.spi;

import dev.r3map.backend.Ranges;
import dev.r3map.internal.NoSpace;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A file that is read and written by system calls. Owns its descriptor until {@link #close}.
 *
 * <p>It is not mapped: a page that the disk has no block for, or cannot read, would be a SIGBUS,
 * and compiled code hears of that too late. A read would return what was in its buffer before.
 *
 * <p>It is no channel either: an interrupt closes a channel under everybody who uses it. An
 * interrupt does nothing to a {@link RandomAccessFile}, which has one position for all.
 */
final class PlainFile implements LocalStorage {
  private static final int PIECE = 64 << 10;

  private final Path path;
  private final long size;
  private final boolean durable;
  private final RandomAccessFile file;

  /** For the file's position and for {@link #piece}. */
  private final ReentrantLock lock = new ReentrantLock();

  private final byte[] piece = new byte[PIECE];

  /**
   * Opens or makes a file.
   *
   * @param durable whether the file is to outlive this process
   */
  PlainFile(Path path, long size, boolean durable) throws IOException {
    this.path = path;
    this.size = size;
    this.durable = durable;
    file = new RandomAccessFile(path.toFile(), "rw");
    try {
      file.setLength(size);
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
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
    perform(
        "read",
        offset,
        dst.remaining(),
        () -> {
          while (dst.hasRemaining()) {
            int read = file.read(piece, 0, Math.min(dst.remaining(), PIECE));
            if (read < 0) {
              throw new IOException("somebody made it shorter");
            }
            dst.put(piece, 0, read);
          }
        });
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    perform(
        "write",
        offset,
        src.remaining(),
        () -> {
          while (src.hasRemaining()) {
            int length = Math.min(src.remaining(), PIECE);
            src.get(piece, 0, length);
            file.write(piece, 0, length);
          }
        });
  }

  /** The JDK cannot make a hole: zeros take the space of any other bytes. */
  @Override
  public void punch(long offset, long length) throws IOException {
    perform(
        "clear",
        offset,
        length,
        () -> {
          Arrays.fill(piece, (byte) 0);
          for (long left = length; left > 0; left -= PIECE) {
            file.write(piece, 0, (int) Math.min(left, PIECE));
          }
        });
  }

  /** What is done at the file's position. */
  private interface Operation {
    void run() throws IOException;
  }

  private void perform(String action, long offset, long length, Operation operation)
      throws IOException {
    Ranges.check(offset, length, size);
    lock.lock();
    try {
      file.seek(offset);
      operation.run();
    } catch (IOException e) {
      String where = "local store %s (offset=%d, length=%d)".formatted(path, offset, length);
      throw NoSpace.isIn(e)
          ? NoSpace.in(e, where)
          : new IOException("cannot %s the %s: %s".formatted(action, where, e.getMessage()), e);
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void force() throws IOException {
    if (durable) {
      file.getFD().sync();
    }
  }

  @Override
  public OptionalInt descriptor() {
    return OptionalInt.empty();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
