package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.ErrnoException;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.MountCalls;
import dev.r3map.linux.ffi.StatCalls;
import dev.r3map.linux.ffi.UserCalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.OptionalInt;

/**
 * A mount over a file. Owns the mount until {@link #detach}, and the connection behind it, which
 * its user closes.
 */
final class FuseMount {
  static final Path DEVICE = Path.of("/dev/fuse");

  private static final Path CONNECTIONS = Path.of("/sys/fs/fuse/connections");
  private static final String NAME = "r3map";

  /** What reads of 1 MiB need of the kernel's readahead; its default is 128. */
  private static final String READAHEAD_KIB = "1024";

  private final Path path;
  private final FuseConnection connection;
  private final boolean byRoot;
  private final int minor;
  private OptionalInt handle = OptionalInt.empty();

  private FuseMount(Path path, FuseConnection connection, boolean byRoot, int minor) {
    this.path = path;
    this.connection = connection;
    this.byRoot = byRoot;
    this.minor = minor;
  }

  /** Mounts; nobody is told yet what is there. */
  static FuseMount at(MountPoint point, boolean readOnly) throws IOException {
    Path path = point.path();
    boolean byRoot = UserCalls.isRoot();
    int fd;
    if (byRoot) {
      try {
        fd = mountAsRoot(path, readOnly);
      } catch (ErrnoException e) {
        if (e.errno() != Errno.EPERM) {
          throw e;
        }
        // Root of a container, perhaps.
        byRoot = false;
        fd = mountAsUser(path, readOnly, e);
      }
    } else {
      fd = Fusermount.mount(path, options(readOnly ? "ro" : "rw"));
    }
    FuseConnection connection = new FuseConnection(fd);
    try {
      return new FuseMount(path, connection, byRoot, StatCalls.cachedStatus(path).deviceMinor());
    } catch (IOException e) {
      new FuseMount(path, connection, byRoot, 0).abandon(e);
      throw e;
    }
  }

  FuseConnection connection() {
    return connection;
  }

  /** What the kernel calls the file system: the minor number of its device. */
  int minor() {
    return minor;
  }

  /** Whether root mounted this, without help. */
  boolean byRoot() {
    return byRoot;
  }

  /** Lets the kernel read ahead by as much as one request carries. */
  void raiseReadahead() throws IOException {
    Files.writeString(
        Path.of("/sys/class/bdi/0:" + minor + "/read_ahead_kb"),
        READAHEAD_KIB,
        StandardOpenOption.WRITE);
  }

  /** Whether the path still leads to it: others may have unmounted it, or mounted over it. */
  boolean isOnTop() throws IOException {
    return isMounted() && StatCalls.cachedStatus(path).deviceMinor() == minor;
  }

  private boolean isMounted() throws IOException {
    return MountInfo.isMounted(path, minor);
  }

  /**
   * Takes the mount out of the tree; if root, also ends the connection at once.
   *
   * @throws IOException also if somebody has mounted over it: unmounting would hit theirs, so that
   *     only the connection is ended
   */
  void detach() throws IOException {
    if (!isMounted()) {
      return;
    }
    if (!isOnTop()) {
      abort();
      throw new IOException(
          "something else is mounted over %s, and below it a dead mount is left: umount %s, twice"
              .formatted(path, path));
    }
    if (byRoot) {
      MountCalls.unmount(path, MountCalls.MNT_FORCE | MountCalls.MNT_DETACH);
    } else {
      // A user cannot end it while a program has the file open. Through this handle a request can
      // be made, so that receivers wake.
      handle = OptionalInt.of(FileCalls.open(path, FileCalls.O_PATH, 0));
      Fusermount.unmount(path);
    }
  }

  /** Not for root, who need not, and not if somebody else has unmounted it. */
  boolean canNudge() {
    return handle.isPresent();
  }

  /** Makes the kernel send a request after {@link #detach}, and waits for the answer. */
  void nudge() throws IOException {
    if (handle.isPresent()) {
      StatCalls.askFileSystem(handle.getAsInt());
    }
  }

  /** Lets go of what {@link #nudge} needs. */
  void closeHandle() throws IOException {
    if (handle.isPresent()) {
      FileCalls.close(handle.getAsInt());
      handle = OptionalInt.empty();
    }
  }

  /**
   * Ends the connection from outside, whatever hangs in it; fusectl.
   *
   * @throws IOException if that file system is not mounted and cannot be
   */
  void abort() throws IOException {
    Path abort = CONNECTIONS.resolve(minor + "/abort");
    if (Files.exists(abort)) {
      Files.writeString(abort, "1", StandardOpenOption.WRITE);
      return;
    }
    MountCalls.mount("fusectl", CONNECTIONS, "fusectl", 0, "");
    try {
      Files.writeString(abort, "1", StandardOpenOption.WRITE);
    } finally {
      MountCalls.unmount(CONNECTIONS, MountCalls.MNT_DETACH);
    }
  }

  private void abandon(IOException cause) {
    try {
      if (byRoot) {
        MountCalls.unmount(path, MountCalls.MNT_FORCE | MountCalls.MNT_DETACH);
      } else {
        Fusermount.unmount(path);
      }
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
    try {
      connection.close();
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }

  private static int mountAsRoot(Path path, boolean readOnly) throws IOException {
    int fd = FileCalls.open(DEVICE, FileCalls.O_RDWR, 0);
    try {
      long flags = MountCalls.MS_NOSUID | MountCalls.MS_NODEV;
      String options =
          "fd=%d,rootmode=%o,user_id=%d,group_id=%d,allow_other"
              .formatted(
                  fd,
                  StatCalls.S_IFREG | (readOnly ? 0444 : 0644),
                  UserCalls.userId(),
                  UserCalls.groupId());
      MountCalls.mount(
          NAME,
          path,
          "fuse." + NAME,
          readOnly ? flags | MountCalls.MS_RDONLY : flags,
          options + "," + common());
      return fd;
    } catch (IOException e) {
      FileCalls.close(fd);
      throw e;
    }
  }

  private static int mountAsUser(Path path, boolean readOnly, ErrnoException refused)
      throws IOException {
    try {
      return Fusermount.mount(path, options(readOnly ? "ro" : "rw"));
    } catch (IOException e) {
      e.addSuppressed(refused);
      throw e;
    }
  }

  private static String options(String access) {
    return "%s,nosuid,nodev,fsname=%s,subtype=%s,%s".formatted(access, NAME, NAME, common());
  }

  private static String common() {
    return "default_permissions,max_read=" + FuseProtocol.MAX_TRANSFER;
  }
}
