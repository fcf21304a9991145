package dev.r3map.linux;

import dev.r3map.Device;
import dev.r3map.Region;
import dev.r3map.linux.ffi.Native;
import dev.r3map.linux.fuse.FuseDevice;
import dev.r3map.linux.fuse.FuseSupport;
import dev.r3map.spi.FrontendRegion;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Mounts a region as a regular file that any program can open, read, write and map, over the
 * kernel's FUSE protocol and without libfuse.
 *
 * <p>The mount point is the file itself: made if it is absent, and then removed again when the
 * device is closed. Its size is fixed. Truncating it is refused ({@code EPERM}), also by an open
 * that asks for it, and so is writing behind its end ({@code EFBIG}): use {@code dd conv=notrunc}
 * and the like. {@code fsync} returns when the region's {@link Region#flush} does.
 *
 * <p>What one door of the region writes, the others see at once. A program that stores into a
 * mapping is an exception until it calls {@code msync}, as with any file system behind a network.
 *
 * <p>Root mounts directly and lets every user in, by the mode of the file; others need {@code
 * fusermount3} and keep the mount to themselves.
 *
 * <p><b>Do not use the mount from within this JVM</b>, where {@link Region#file} is faster and
 * safe. Reading and writing it through a {@link java.nio.channels.FileChannel} works. Mapping it
 * could hang the whole JVM: a thread that waits for a page is not at a safepoint, and whoever must
 * answer may need one. So {@code FileChannel.map} of it fails with "No such device", except in the
 * mode {@code PRIVATE}, which the kernel does not let us refuse: do not use that.
 */
public final class Fuse {
  private Fuse() {}

  /** {@link #attach(Region, Path, FuseOptions)} with the defaults. */
  public static Device attach(Region region, Path path) throws IOException {
    return attach(region, path, FuseOptions.DEFAULT);
  }

  /**
   * Mounts a region; returns once the file can be used.
   *
   * @param path a regular file, whose content is hidden for as long, or the name of a new one
   * @return the mount, which ends when it is closed; closing the region closes it, too
   * @throws IllegalArgumentException if the region is not one of this library
   * @throws IOException if it cannot be mounted there, saying why; nothing is left behind
   */
  public static Device attach(Region region, Path path, FuseOptions options) throws IOException {
    if (!(region instanceof FrontendRegion frontendRegion)) {
      throw new IllegalArgumentException("not a region of this library: " + region.getClass());
    }
    Optional<String> reason = unavailable();
    if (reason.isPresent()) {
      throw new IOException(reason.get());
    }
    return FuseDevice.open(frontendRegion, path, options);
  }

  /**
   * Links the system calls of a mount, which takes about 0.1 s, once in a process. Who knows that
   * it will mount can have that done by another thread while it does something else.
   */
  public static void prepare() {
    var _ = unavailable();
    Native.linkAll();
  }

  /** Why FUSE cannot be used here, and what to do about it; empty if it can. */
  public static Optional<String> unavailable() {
    return FuseSupport.unavailable();
  }
}
