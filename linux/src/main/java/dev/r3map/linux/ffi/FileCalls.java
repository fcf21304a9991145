package dev.r3map.linux.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * Files: open(2), close(2), flock(2), pread(2), pwrite(2), ftruncate(2), fallocate(2), lseek(2),
 * fdatasync(2), sync_file_range(2); constants of {@code asm-generic/fcntl.h} and {@code
 * linux/falloc.h}.
 */
@SuppressWarnings("restricted")
public final class FileCalls {
  public static final int O_RDONLY = 0;
  public static final int O_RDWR = 2;
  public static final int O_ACCMODE = 3;
  public static final int O_CREAT = 0x40;
  public static final int O_EXCL = 0x80;
  public static final int O_TRUNC = 0x200;
  public static final int O_PATH = 0x20_0000;
  private static final int O_CLOEXEC = 0x8_0000;

  public static final int FALLOC_FL_KEEP_SIZE = 0x1;
  private static final int FALLOC_FL_PUNCH_HOLE = 0x2;

  private static final int LOCK_EX = 2;
  private static final int LOCK_NB = 4;

  public static final int SEEK_DATA = 3;
  public static final int SEEK_HOLE = 4;

  /** SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE and _WAIT_AFTER. */
  private static final int SYNC_FILE_RANGE_ALL = 7;

  private static final MethodHandle OPEN =
      Native.link(
          "open",
          FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT),
          Linker.Option.firstVariadicArg(2));
  private static final MethodHandle CLOSE =
      Native.link("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle FLOCK =
      Native.link("flock", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle PREAD =
      Native.link(
          "pread", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle PWRITE =
      Native.link(
          "pwrite", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle FTRUNCATE =
      Native.link("ftruncate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
  private static final MethodHandle FALLOCATE =
      Native.link(
          "fallocate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle FDATASYNC =
      Native.link("fdatasync", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle LSEEK =
      Native.link("lseek", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
  private static final MethodHandle SYNC_FILE_RANGE =
      Native.link(
          "sync_file_range",
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));

  private FileCalls() {}

  /** Opens a file; the descriptor does not survive an exec. */
  public static int open(Path path, int flags, int mode) throws IOException {
    long fd =
        Native.retry((errno, arena) ->
            (int)
                OPEN.invokeExact(
                    errno, arena.allocateFrom(path.toString()), flags | O_CLOEXEC, mode));
    return (int) Native.orThrow(fd, "open " + path);
  }

  /** Closes a descriptor; it is gone whatever happens. */
  public static void close(int fd) throws IOException {
    long result = Native.call((errno, arena) -> (int) CLOSE.invokeExact(errno, fd));
    if (result != -Errno.EINTR) {
      Native.orThrow(result, "close");
    }
  }

  /**
   * Locks an open file or directory, against other locks alone, until it is closed.
   *
   * @return false if somebody else has the lock, be it in this process or another
   */
  public static boolean tryLock(int fd) throws IOException {
    long result =
        Native.retry((errno, arena) -> (int) FLOCK.invokeExact(errno, fd, LOCK_EX | LOCK_NB));
    if (result == -Errno.EAGAIN) {
      return false;
    }
    Native.orThrow(result, "lock");
    return true;
  }

  /**
   * Reads once, perhaps not all.
   *
   * @return how many bytes, 0 at the end, or the negated {@code errno}
   */
  public static long pread(
      MemorySegment errno, int fd, MemorySegment dst, long length, long offset) {
    try {
      return Native.result((long) PREAD.invokeExact(errno, fd, dst, length, offset), errno);
    } catch (Throwable t) {
      throw Native.unexpected(t);
    }
  }

  /**
   * Writes once, perhaps not all.
   *
   * @return how many bytes, or the negated {@code errno}
   */
  public static long pwrite(
      MemorySegment errno, int fd, MemorySegment src, long length, long offset) {
    try {
      return Native.result((long) PWRITE.invokeExact(errno, fd, src, length, offset), errno);
    } catch (Throwable t) {
      throw Native.unexpected(t);
    }
  }

  /** Sets the size of a file. */
  public static void truncate(int fd, long size) throws IOException {
    long result = Native.retry((errno, arena) -> (int) FTRUNCATE.invokeExact(errno, fd, size));
    Native.orThrow(result, "set the size to " + size);
  }

  /**
   * Frees the space of a range, which reads as zeros afterwards.
   *
   * @return false if the file system cannot do that
   */
  public static boolean punch(int fd, long offset, long length) throws IOException {
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    long result =
        Native.retry(
            (errno, arena) -> (int) FALLOCATE.invokeExact(errno, fd, mode, offset, length));
    if (result == -Errno.EOPNOTSUPP) {
      return false;
    }
    Native.orThrow(result, "free a range (offset=" + offset + ", length=" + length + ")");
    return true;
  }

  /** Returns when the data of a file is on the disk. */
  public static void dataSync(int fd) throws IOException {
    long result = Native.retry((errno, arena) -> (int) FDATASYNC.invokeExact(errno, fd));
    Native.orThrow(result, "sync to the disk");
  }

  /** Returns when the dirty pages of a file were handed to its file system. */
  public static void writeBack(int fd) throws IOException {
    long result =
        Native.call((errno, arena) ->
            (int) SYNC_FILE_RANGE.invokeExact(errno, fd, 0L, 0L, SYNC_FILE_RANGE_ALL));
    Native.orThrow(result, "write dirty pages back");
  }

  /**
   * Looks for data or a hole.
   *
   * @param whence {@link #SEEK_DATA} or {@link #SEEK_HOLE}
   * @return the offset of it, or the negated {@code errno}
   */
  public static long seek(int fd, long offset, int whence) {
    return Native.call((errno, arena) -> (long) LSEEK.invokeExact(errno, fd, offset, whence));
  }
}
