package dev.r3map.linux.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * What a path is: statx(2), fstatfs(2); struct and constants of {@code linux/stat.h}, which are the
 * same on every architecture.
 */
public final class StatCalls {
  /** The file type in a mode. */
  public static final int S_IFMT = 0170000;

  public static final int S_IFDIR = 0040000;
  public static final int S_IFREG = 0100000;

  private static final int AT_FDCWD = -100;

  /** Whatever is known; a network or FUSE file system is not asked. */
  private static final int AT_STATX_DONT_SYNC = 0x4000;

  /** A network or FUSE file system is asked, whatever the kernel remembers of it. */
  private static final int AT_STATX_FORCE_SYNC = 0x2000;

  private static final int STATX_BASIC_STATS = 0x7ff;

  private static final long STATX_SIZE = 256;
  private static final long STX_UID = 20;
  private static final long STX_GID = 24;
  private static final long STX_MODE = 28;
  private static final long STX_INO = 32;
  private static final long STX_SIZE = 40;
  private static final long STX_DEV_MAJOR = 136;
  private static final long STX_DEV_MINOR = 140;

  /** At least {@code sizeof(struct statfs)}. */
  private static final long STATFS_SIZE = 256;

  private static final MethodHandle STATX =
      Native.link(
          "statx", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS));
  private static final MethodHandle FSTATFS =
      Native.link("fstatfs", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));

  private StatCalls() {}

  /**
   * What a path names.
   *
   * @param mode type and permissions
   */
  public record Status(
      int mode, int uid, int gid, long inode, long size, int deviceMajor, int deviceMinor) {

    public boolean isRegularFile() {
      return (mode & S_IFMT) == S_IFREG;
    }

    public boolean isDirectory() {
      return (mode & S_IFMT) == S_IFDIR;
    }
  }

  /** Asks the file system, which may wait for whoever serves it. */
  public static Status status(Path path) throws IOException {
    return statx(path, AT_STATX_FORCE_SYNC);
  }

  /** What the kernel knows, without asking a file system that somebody else serves. */
  public static Status cachedStatus(Path path) throws IOException {
    return statx(path, AT_STATX_DONT_SYNC);
  }

  /** Asks the file system of an open file about itself; whoever serves it gets a request. */
  public static void askFileSystem(int fd) throws IOException {
    long result =
        Native.call(
            (errno, arena) -> (int) FSTATFS.invokeExact(errno, fd, arena.allocate(STATFS_SIZE)));
    Native.orThrow(result, "fstatfs");
  }

  private static Status statx(Path path, int flags) throws IOException {
    try (Arena result = Arena.ofConfined()) {
      MemorySegment stx = result.allocate(STATX_SIZE, Long.BYTES);
      long done =
          Native.retry((errno, arena) ->
              (int)
                  STATX.invokeExact(
                      errno,
                      AT_FDCWD,
                      arena.allocateFrom(path.toString()),
                      flags,
                      STATX_BASIC_STATS,
                      stx));
      Native.orThrow(done, "stat " + path);
      return new Status(
          stx.get(JAVA_SHORT, STX_MODE) & 0xffff,
          stx.get(JAVA_INT, STX_UID),
          stx.get(JAVA_INT, STX_GID),
          stx.get(JAVA_LONG, STX_INO),
          stx.get(JAVA_LONG, STX_SIZE),
          stx.get(JAVA_INT, STX_DEV_MAJOR),
          stx.get(JAVA_INT, STX_DEV_MINOR));
    }
  }
}
