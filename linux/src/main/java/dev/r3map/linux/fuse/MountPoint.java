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
    boolean made = !exists(absolute);
    if (made) {
      int flags = FileCalls.O_RDWR | FileCalls.O_CREAT | FileCalls.O_EXCL;
      FileCalls.close(FileCalls.open(absolute, flags, WRITABLE));
    }
    try {
      Path real = absolute.toRealPath();
      clear(real);
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
      if (same && now.size() == 0) {
        Files.delete(path);
      }
    } catch (ErrnoException e) {
      if (e.errno() != Errno.ENOENT) {
        throw e;
      }
    }
  }

  private static boolean exists(Path path) throws IOException {
    try {
      StatCalls.cachedStatus(path);
      return true;
    } catch (ErrnoException e) {
      return switch (e.errno()) {
        case Errno.ENOENT -> false;
        case Errno.ENOTCONN, Errno.ECONNABORTED -> true;
        default -> throw e;
      };
    }
  }

  /** Unmounts what is dead, and refuses what is not. */
  private static void clear(Path path) throws IOException {
    for (int cleared = 0; MountInfo.isMountPoint(path); cleared++) {
      try {
        Joins.within(PATIENCE, "stat " + path, () -> StatCalls.status(path));
      } catch (ErrnoException e) {
        boolean dead = e.errno() == Errno.ENOTCONN || e.errno() == Errno.ECONNABORTED;
        if (dead && cleared < MOST_STALE) {
          unmountDead(path);
          continue;
        }
        throw e;
      }
      throw new IOException(
          "something is mounted at %s; unmount it first: umount %s".formatted(path, path));
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
}
