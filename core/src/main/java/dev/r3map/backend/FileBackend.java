package dev.r3map.backend;

import dev.r3map.internal.NoSpace;
import dev.r3map.spi.BackendOptions;
import dev.r3map.spi.Platform;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A regular file or a block device. Owns a descriptor until {@link #close}, which fails the calls
 * in flight.
 *
 * <p>The size is what the file has when it is opened. Nothing here makes it grow or shrink: writing
 * to a file that somebody else resized, and reading what he cut off, is a {@link
 * ResourceChangedException}. A file that may not be written is opened for reading.
 *
 * <p>An interrupt does no harm: the call does its work and leaves its thread interrupted. An
 * interrupt closes a {@link FileChannel} under everybody who uses it, so the file is opened again,
 * which fails if its path names another one by then.
 *
 * <p>Thread-safe; calls on different ranges do not wait for each other.
 */
public final class FileBackend implements Backend {
  /**
   * The JDK copies a heap buffer through a direct one of the same size and keeps that for each
   * carrier thread. This bounds it, and is enough for the additional calls not to show.
   */
  private static final int MAX_COPY = 1 << 20;

  /** Disks have sectors of 512 or 4096 bytes. */
  private static final long MAX_SECTOR = 4096;

  private final FileKind file;
  private final long size;
  private final boolean readOnly;

  private final ReentrantLock replacing = new ReentrantLock();
  private volatile FileChannel channel;
  private volatile boolean closed;

  /**
   * Set once the system failed to write bytes back. It reports that once and forgets the bytes: the
   * next force would succeed, though they are not on the disk.
   */
  private volatile @Nullable IOException lost;

  private FileBackend(FileKind file, FileChannel channel, boolean readOnly) throws IOException {
    this.file = file;
    this.channel = channel;
    this.readOnly = readOnly;
    this.size = channel.size();
  }

  /** {@link #open(Path, BackendOptions)} with the defaults: an existing file, to read and write. */
  public static FileBackend open(Path path) throws IOException {
    return open(path, BackendOptions.DEFAULT);
  }

  /**
   * Opens a file.
   *
   * @param options {@code create} makes a file of {@code size} zeros, which take no space, if there
   *     is none; where there is one, {@code size} must be its own
   * @throws PermanentIOException if there is no such file, or it is of another kind or size
   */
  public static FileBackend open(Path path, BackendOptions options) throws IOException {
    if (options.create()) {
      long size =
          options
              .size()
              .orElseThrow(() -> new IllegalArgumentException("a new file needs a size: " + path));
      createUnlessThere(path, size);
    }
    FileKind file = FileKind.of(path);
    boolean readOnly = options.readOnly() || !file.isWritable();
    FileChannel channel = openChannel(path, readOnly);
    try {
      FileBackend backend = new FileBackend(file, channel, readOnly);
      long wanted = options.size().orElse(backend.size);
      if (wanted != backend.size) {
        throw new PermanentIOException(
            "%s has %d bytes, not %d as asked for".formatted(path, backend.size, wanted));
      }
      return backend;
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    Ranges.check(offset, dst.remaining(), size);
    int start = dst.position();
    perform(
        "read",
        offset,
        dst.remaining(),
        used -> {
          dst.position(start);
          readFully(used, dst, offset);
        });
  }

  private void readFully(FileChannel used, ByteBuffer dst, long offset) throws IOException {
    int limit = dst.limit();
    try {
      for (long at = offset; dst.position() < limit; ) {
        limitCopy(dst, limit);
        int read = used.read(dst, at);
        if (read < 0) {
          requireSameSize(used);
          throw new IOException("unexpected end of file");
        }
        at += read;
      }
    } finally {
      dst.limit(limit);
    }
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    Ranges.check(offset, src.remaining(), size);
    requireWritable();
    int start = src.position();
    perform(
        "write",
        offset,
        src.remaining(),
        used -> {
          src.position(start);
          requireSameSize(used);
          writeFully(used, src, offset);
        });
  }

  private static void writeFully(FileChannel used, ByteBuffer src, long offset) throws IOException {
    int limit = src.limit();
    try {
      for (long at = offset; src.position() < limit; ) {
        limitCopy(src, limit);
        at += used.write(src, at);
      }
    } finally {
      src.limit(limit);
    }
  }

  private static void limitCopy(ByteBuffer buffer, int limit) {
    int most = buffer.isDirect() ? Integer.MAX_VALUE : MAX_COPY;
    buffer.limit(buffer.position() + Math.min(limit - buffer.position(), most));
  }

  /**
   * {@inheritDoc}
   *
   * <p>Once this fails it fails for ever, because it is not known which bytes were lost: open the
   * file again and write them again.
   */
  @Override
  public void sync() throws IOException {
    if (readOnly) {
      requireOpen();
      return;
    }
    requireNothingLost();
    // The metadata left out is that which nobody needs to find the bytes: the size never changes.
    perform(
        "sync",
        0,
        size,
        used -> {
          try {
            used.force(false);
          } catch (ClosedChannelException e) {
            throw e;
          } catch (IOException e) {
            lost = e;
            throw e;
          }
        });
    requireNothingLost();
  }

  private void requireNothingLost() throws IOException {
    IOException cause = lost;
    if (cause != null) {
      throw new PermanentIOException(
          "%s: bytes written earlier did not reach the disk (%s); open the file and write them again"
              .formatted(file.path(), cause.getMessage()),
          cause);
    }
  }

  @Override
  public Geometry geometry() {
    return readOnly ? Geometry.ANY.asReadOnly() : Geometry.ANY;
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    Ranges.check(offset, length, size);
    requireWritable();
    long from = punchable(offset, true);
    var _ = punch("discard", from, Math.max(0, punchable(offset + length, false) - from));
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    Ranges.check(offset, length, size);
    requireWritable();
    long end = offset + length;
    long from = punchable(offset, true);
    long to = punchable(end, false);
    if (from < to && punch("zero", from, to - from)) {
      Ranges.writeZeros(this, offset, from - offset);
      Ranges.writeZeros(this, to, end - to);
    } else {
      Ranges.writeZeros(this, offset, length);
    }
  }

  /** The next offset, or the one before, where a hole may begin or end. */
  private long punchable(long offset, boolean next) {
    if (!file.isBlockDevice()) {
      return offset;
    }
    // A file system cares for parts of blocks; a device refuses what are not whole sectors.
    return (next ? offset + MAX_SECTOR - 1 : offset) & -MAX_SECTOR;
  }

  /** True if the range is a hole now, false if nothing was done. */
  private boolean punch(String action, long offset, long length) throws IOException {
    boolean[] punched = new boolean[1];
    perform(
        action,
        offset,
        length,
        used -> {
          requireSameSize(used);
          // The platform goes by the path, which may name another file by now.
          punched[0] =
              length > 0
                  && file.isStillThere()
                  && Platform.current().punch(file.path(), offset, length);
        });
    return punched[0];
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    Ranges.check(offset, length, size);
    requireOpen();
    return length > 0 && file.isStillThere()
        ? Platform.current().extents(file.path(), offset, length)
        : Backend.super.extents(offset, length);
  }

  /**
   * The inode number and the size, which tell that a file was replaced by another one, or resized.
   * The time of modification is not in it: our own writes change it, and who reopens a cache after
   * having written would be told that the file has changed. Nor is the device number, which many
   * file systems choose anew with every mount; nor the time of creation, for which the JDK gives
   * the time of modification where it is not known. A block device has no identity but its size.
   */
  @Override
  public Optional<String> identity() {
    return file.inode().isPresent()
        ? Optional.of("inode=%d, size=%d".formatted(file.inode().getAsLong(), size))
        : Optional.empty();
  }

  @Override
  public void close() throws IOException {
    replacing.lock();
    try {
      closed = true;
      channel.close();
    } finally {
      replacing.unlock();
    }
  }

  @Override
  public String toString() {
    return file.path().toString();
  }

  /** What is done with the channel; done again from its beginning if that was closed meanwhile. */
  private interface Operation {
    void run(FileChannel used) throws IOException;
  }

  private void perform(String action, long offset, long length, Operation operation)
      throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        requireOpen();
        FileChannel used = channel;
        try {
          operation.run(used);
          return;
        } catch (ClosedChannelException e) {
          interrupted |= Thread.interrupted();
          replaceClosed();
        }
      }
    } catch (PermanentIOException | NoSpaceException e) {
      throw e;
    } catch (IOException e) {
      String what =
          "cannot %s %s (offset=%d, length=%d): %s"
              .formatted(action, file.path(), offset, length, e.getMessage());
      throw NoSpace.isIn(e)
          ? (IOException) new NoSpaceException(what).initCause(e)
          : new IOException(what, e);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Opens the file again after an interrupt of some thread closed the channel of all. */
  private void replaceClosed() throws IOException {
    replacing.lock();
    try {
      requireOpen();
      if (channel.isOpen()) {
        return;
      }
      if (!file.isStillThere()) {
        throw new ResourceChangedException(file.path() + " was moved, deleted or replaced");
      }
      FileChannel opened = openChannel(file.path(), readOnly);
      try {
        requireSameSize(opened);
      } catch (IOException e) {
        opened.close();
        throw e;
      }
      channel = opened;
    } finally {
      replacing.unlock();
    }
  }

  private void requireOpen() throws IOException {
    if (closed) {
      throw new PermanentIOException(file.path() + " is closed");
    }
  }

  private void requireWritable() throws IOException {
    requireOpen();
    if (readOnly) {
      throw new ReadOnlyException(file.path() + " is open for reading only");
    }
  }

  private void requireSameSize(FileChannel used) throws IOException {
    long now = used.size();
    if (now != size) {
      throw new ResourceChangedException(
          "%s has %d bytes now, but had %d when it was opened".formatted(file.path(), now, size));
    }
  }

  private static FileChannel openChannel(Path path, boolean readOnly) throws IOException {
    return readOnly
        ? FileChannel.open(path, StandardOpenOption.READ)
        : FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
  }

  private static void createUnlessThere(Path path, long size) throws IOException {
    if (size < 0) {
      throw new IllegalArgumentException("negative size: " + size);
    }
    try {
      Files.createFile(path);
    } catch (FileAlreadyExistsException e) {
      return;
    } catch (NoSuchFileException e) {
      throw new PermanentIOException(
          "cannot create %s: there is no such folder".formatted(path), e);
    }
    try (RandomAccessFile created = new RandomAccessFile(path.toFile(), "rw")) {
      created.setLength(size);
      created.getFD().sync();
    } catch (IOException e) {
      Files.deleteIfExists(path);
      throw new IOException(
          "cannot create %s with %d bytes: %s".formatted(path, size, e.getMessage()), e);
    }
    syncFolder(path);
  }

  /** Makes the name durable too, where the system lets a folder be opened. */
  private static void syncFolder(Path path) {
    Path folder = path.toAbsolutePath().getParent();
    if (folder != null) {
      try (FileChannel names = FileChannel.open(folder, StandardOpenOption.READ)) {
        names.force(true);
      } catch (IOException e) {
        System.getLogger(FileBackend.class.getName())
            .log(System.Logger.Level.DEBUG, "cannot sync the folder {0}: {1}", folder, e);
      }
    }
  }
}
