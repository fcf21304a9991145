package dev.r3map.linux.storage;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.Ranges;
import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.ErrnoException;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.MemoryCalls;
import dev.r3map.linux.ffi.Scratch;
import dev.r3map.spi.LocalStorage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A memory file or a file on a disk: written by pwrite(2), read through a mapping. That of a memory
 * file can be written, too, where there is memory already. Owns the descriptor and the mapping
 * until {@link #close}; calls in flight then must have ended, and later ones fail.
 *
 * <p>An interrupt of a calling thread does nothing, for no interruptible channel is involved. A
 * full disk fails the write; a page of the mapping whose bytes cannot be read fails the read.
 */
final class LinuxStorage implements LocalStorage {
  private final int fd;
  private final long size;
  private final String name;
  private final boolean durable;
  private final MemorySegment mapping;

  /** The same memory to be written; null of a file on a disk, which may fail to take a page. */
  private final @Nullable MemorySegment writable;

  private final Arena arena;
  private final AtomicBoolean closed = new AtomicBoolean();

  /**
   * Set once the kernel failed to write bytes back. It reports that once and forgets the bytes: the
   * next force would succeed, though they are not on the disk.
   */
  private volatile @Nullable ErrnoException lost;

  private LinuxStorage(
      int fd, long size, String name, boolean durable, MemorySegment mapped, Arena arena) {
    this.fd = fd;
    this.size = size;
    this.name = name;
    this.durable = durable;
    this.mapping = mapped.asReadOnly();
    this.writable = durable ? null : mapped;
    this.arena = arena;
  }

  /** Takes over {@code fd}, also when this fails. */
  static LinuxStorage over(int fd, long size, String name, boolean durable) throws IOException {
    Arena arena = Arena.ofShared();
    try {
      FileCalls.truncate(fd, size);
      return new LinuxStorage(fd, size, name, durable, map(fd, size, durable, arena), arena);
    } catch (IOException | RuntimeException e) {
      arena.close();
      FileCalls.close(fd);
      if (e instanceof ErrnoException errno) {
        throw failure(errno, name, 0, size);
      }
      throw e;
    }
  }

  /** The kernel refuses to map nothing. */
  @SuppressWarnings("restricted")
  private static MemorySegment map(int fd, long size, boolean readOnly, Arena arena)
      throws IOException {
    if (size == 0) {
      return MemorySegment.NULL;
    }
    MemorySegment mapped =
        readOnly ? MemoryCalls.mapReadOnly(fd, size) : MemoryCalls.mapShared(fd, size);
    return mapped.reinterpret(arena, MemoryCalls::unmap);
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public Optional<MemorySegment> mapping() {
    return Optional.of(mapping);
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    int length = dst.remaining();
    Ranges.check(offset, length, size);
    MemorySegment to = MemorySegment.ofBuffer(dst);
    try {
      to.copyFrom(mapping.asSlice(offset, length));
    } catch (InternalError e) {
      // The JVM's form of SIGBUS: a disk that cannot be read, a file that somebody made shorter, or
      // a hole of a memory file system that is full. A system call can tell them apart.
      readByCall(to, offset);
    }
    dst.position(dst.limit());
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    int length = src.remaining();
    Ranges.check(offset, length, size);
    ensureOpen();
    Scratch scratch = Scratch.take();
    try {
      if (src.isDirect()) {
        writeNative(MemorySegment.ofBuffer(src), length, offset, scratch);
      } else {
        writeHeap(MemorySegment.ofBuffer(src), length, offset, scratch);
      }
    } finally {
      scratch.giveBack();
    }
    src.position(src.limit());
  }

  @Override
  public void overwrite(ByteBuffer src, long offset) throws IOException {
    int length = src.remaining();
    Ranges.check(offset, length, size);
    if (writable == null) {
      write(src, offset);
      return;
    }
    try {
      MemorySegment.copy(MemorySegment.ofBuffer(src), 0, writable, offset, length);
    } catch (InternalError e) {
      // SIGBUS, as in a read: the page was swapped out and cannot be had back. A call tells why.
      write(src, offset);
      return;
    }
    src.position(src.limit());
  }

  @Override
  public void punch(long offset, long length) throws IOException {
    Ranges.check(offset, length, size);
    ensureOpen();
    if (!Holes.punch(fd, offset, length, size)) {
      writeZeros(offset, length);
    }
  }

  @Override
  public void force() throws IOException {
    ensureOpen();
    if (!durable) {
      return;
    }
    requireNothingLost();
    try {
      FileCalls.dataSync(fd);
    } catch (ErrnoException e) {
      lost = e;
      throw failure(e, name, 0, size);
    }
    // It may have been told to another thread.
    requireNothingLost();
  }

  private void requireNothingLost() throws IOException {
    ErrnoException cause = lost;
    if (cause != null) {
      throw new PermanentIOException(
          "bytes written earlier to the local store %s did not reach the disk (%s)"
              .formatted(name, cause.getMessage()),
          cause);
    }
  }

  @Override
  public OptionalInt descriptor() {
    return OptionalInt.of(fd);
  }

  @Override
  public void close() throws IOException {
    if (closed.compareAndSet(false, true)) {
      arena.close();
      FileCalls.close(fd);
    }
  }

  private void readByCall(MemorySegment dst, long offset) throws IOException {
    Scratch scratch = Scratch.take();
    try {
      MemorySegment buffer = scratch.buffer();
      for (long done = 0; done < dst.byteSize(); ) {
        long wanted = Math.min(dst.byteSize() - done, buffer.byteSize());
        long read = FileCalls.pread(scratch.errno(), fd, buffer, wanted, offset + done);
        if (read > 0) {
          MemorySegment.copy(buffer, 0, dst, done, read);
          done += read;
        } else if (read != -Errno.EINTR) {
          String why = read == 0 ? "somebody made it shorter" : Errno.text((int) -read);
          throw new IOException(
              "cannot read the local store %s (offset=%d, length=%d): %s"
                  .formatted(name, offset + done, dst.byteSize() - done, why));
        }
      }
    } finally {
      scratch.giveBack();
    }
  }

  private void writeHeap(MemorySegment src, int length, long offset, Scratch scratch)
      throws IOException {
    MemorySegment buffer = scratch.buffer();
    for (int done = 0; done < length; ) {
      int piece = (int) Math.min(length - done, buffer.byteSize());
      MemorySegment.copy(src, done, buffer, 0, piece);
      writeNative(buffer, piece, offset + done, scratch);
      done += piece;
    }
  }

  private void writeZeros(long offset, long length) throws IOException {
    Scratch scratch = Scratch.take();
    try {
      MemorySegment zeros = scratch.buffer().fill((byte) 0);
      for (long done = 0; done < length; ) {
        long piece = Math.min(length - done, zeros.byteSize());
        writeNative(zeros, piece, offset + done, scratch);
        done += piece;
      }
    } finally {
      scratch.giveBack();
    }
  }

  private void writeNative(MemorySegment src, long length, long offset, Scratch scratch)
      throws IOException {
    for (long done = 0; done < length; ) {
      MemorySegment rest = done == 0 ? src : src.asSlice(done);
      long written = FileCalls.pwrite(scratch.errno(), fd, rest, length - done, offset + done);
      if (written >= 0) {
        done += written;
      } else if (written != -Errno.EINTR) {
        throw failure(
            new ErrnoException("write", (int) -written), name, offset + done, length - done);
      }
    }
  }

  private void ensureOpen() throws IOException {
    if (closed.get()) {
      throw new IOException("the local store " + name + " is closed");
    }
  }

  private static IOException failure(ErrnoException cause, String name, long offset, long length) {
    String where = "local store %s (offset=%d, length=%d)".formatted(name, offset, length);
    return switch (cause.errno()) {
      case Errno.ENOSPC, Errno.EDQUOT -> {
        NoSpaceException full = new NoSpaceException("no space left for the " + where);
        full.initCause(cause);
        yield full;
      }
      default -> new IOException(cause.getMessage() + ": " + where, cause);
    };
  }
}
