package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.ErrnoException;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.MountCalls;
import dev.r3map.linux.ffi.StatCalls;
import dev.r3map.linux.ffi.StatCalls.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * The regular file that a region is mounted over: made if there was none, and then removed again by
 * {@link #close}. What a dead server left mounted there is cleared away first.
 */
final class MountPoint implements AutoCloseable {
  /** Also for what is read only: fusermount3 wants to open it for writing. */
  private static final int WRITABLE = 0644;

  /** A stack of dead mounts this high is none of ours. */
  private static final int MOST_STALE = 16;

  /** A server that does not answer a stat for so long is not asked for more. */
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final Path path;
  private final Status status;
  private final boolean made;

  private MountPoint(Path path, Status status, boolean made) {
    this.path = path;
    this.status = status;
    this.made = made;
  }

  /**
   * Makes {@code path} fit to be mounted over.
   *
   * @throws IOException if it is no regular file, or in use
   */
  static MountPoint prepare(Path path) throws IOException {
    Path absolute = path.toAbsolutePath();
    boolean made = clearStale(absolute) && make(absolute);
    try {
      Path real = absolute.toRealPath();
      Status status = StatCalls.cachedStatus(real);
      if (status.isDirectory()) {
        throw new IOException(
            "%s is a directory; name a file in it, such as %s"
                .formatted(path, path.resolve("r3map")));
      }
      if (!status.isRegularFile()) {
        throw new IOException(
            path + " is no regular file, and a region can only be mounted at one");
      }
      if (status.mountRoot()) {
        throw new IOException(
            "something is mounted at %s; unmount it first: umount %s".formatted(path, path));
      }
      return new MountPoint(real, status, made);
    } catch (IOException e) {
      if (made) {
        Files.deleteIfExists(absolute);
      }
      throw e;
    }
  }

  /** Without symbolic links. */
  Path path() {
    return path;
  }

  /** Whose the file is, and who may do what. */
  Status status() {
    return status;
  }

  /** Removes the file, if it was made here and is still the same, empty one. */
  @Override
  public void close() throws IOException {
    if (!made) {
      return;
    }
    try {
      Status now = StatCalls.cachedStatus(path);
      boolean same =
          now.inode() == status.inode()
              && now.deviceMajor() == status.deviceMajor()
              && now.deviceMinor() == status.deviceMinor();
      if (same && now.size() == 0 && !now.mountRoot()) {
        Files.delete(path);
      }
    } catch (ErrnoException e) {
      if (e.errno() != Errno.ENOENT) {
        throw e;
      }
    }
  }

  /** Unmounts what is dead; true if there is no file. */
  private static boolean clearStale(Path path) throws IOException {
    for (int cleared = 0; ; cleared++) {
      try {
        if (!StatCalls.cachedStatus(path).mountRoot()) {
          return false;
        }
        // The kernel's cache may not know yet that nobody serves it.
        Joins.within(PATIENCE, "stat " + path, () -> StatCalls.status(path));
        return false;
      } catch (ErrnoException e) {
        switch (e.errno()) {
          case Errno.ENOENT -> {
            return true;
          }
          case Errno.ENOTCONN, Errno.ECONNABORTED -> {
            if (cleared == MOST_STALE) {
              throw new IOException("a dead mount at " + path + " does not go away", e);
            }
            unmountDead(path);
          }
          default -> throw e;
        }
      }
    }
  }

  private static void unmountDead(Path path) throws IOException {
    try {
      MountCalls.unmount(path, MountCalls.MNT_DETACH);
    } catch (ErrnoException e) {
      if (e.errno() != Errno.EPERM) {
        throw e;
      }
      Fusermount.unmount(path);
    }
  }

  private static boolean make(Path path) throws IOException {
    int flags = FileCalls.O_RDWR | FileCalls.O_CREAT | FileCalls.O_EXCL;
    FileCalls.close(FileCalls.open(path, flags, WRITABLE));
    return true;
  }
}
