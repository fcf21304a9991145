package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.FileCalls;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.concurrent.locks.LockSupport;

/**
 * The turn to look what is mounted in a directory and to mount there, so that two who want the same
 * place do not both find it free: the kernel would stack them. It is a lock of the directory, and
 * so keeps other processes out as well. Owns a descriptor until {@link #close}.
 *
 * <p>Not of the file itself: while somebody's mount covers it, it cannot be opened without asking
 * whoever serves that, who may be dead.
 */
final class MountTurn implements AutoCloseable {
  /** Others need milliseconds, or what {@code fusermount3} is given. */
  private static final Duration LIMIT = Duration.ofSeconds(15);

  private static final Duration POLL = Duration.ofMillis(1);

  private final OptionalInt fd;

  private MountTurn(OptionalInt fd) {
    this.fd = fd;
  }

  /**
   * Waits for it.
   *
   * @param path where something will be mounted
   */
  static MountTurn at(Path path) throws IOException {
    Path directory = directory(path.toAbsolutePath());
    int fd;
    try {
      fd = FileCalls.open(directory, FileCalls.O_RDONLY, 0);
    } catch (IOException e) {
      // No right to list it, perhaps. If there is none, whoever mounts says so.
      return new MountTurn(OptionalInt.empty());
    }
    try {
      await(fd, directory);
      return new MountTurn(OptionalInt.of(fd));
    } catch (IOException e) {
      FileCalls.close(fd);
      throw e;
    }
  }

  private static void await(int fd, Path directory) throws IOException {
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (isLocked(fd)) {
      if (System.nanoTime() - deadline > 0) {
        throw new IOException(
            "cannot mount in %s: another program keeps a lock of that directory (fuser %s)"
                .formatted(directory, directory));
      }
      LockSupport.parkNanos(POLL.toNanos());
    }
  }

  private static boolean isLocked(int fd) {
    try {
      return !FileCalls.tryLock(fd);
    } catch (IOException e) {
      // Some network file systems lock no directories. Mounting must work there as well.
      return false;
    }
  }

  /** Where the file is that a path leads to. */
  private static Path directory(Path path) throws IOException {
    Path file;
    try {
      file = path.toRealPath();
    } catch (NoSuchFileException e) {
      file = path;
    }
    Path parent = file.getParent();
    return parent == null ? file : parent;
  }

  @Override
  public void close() throws IOException {
    if (fd.isPresent()) {
      FileCalls.close(fd.getAsInt());
    }
  }
}
