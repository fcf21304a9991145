package dev.r3map.linux.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/** Mounts: mount(2), umount2(2); constants of {@code sys/mount.h}. */
public final class MountCalls {
  public static final long MS_RDONLY = 0x1;
  public static final long MS_NOSUID = 0x2;
  public static final long MS_NODEV = 0x4;

  /** Ends the connection of a FUSE mount at once, also while files are open. */
  public static final int MNT_FORCE = 0x1;

  /** Takes the mount out of the tree at once, and lets go of it when nobody uses it any more. */
  public static final int MNT_DETACH = 0x2;

  private static final MethodHandle MOUNT =
      Native.link(
          "mount", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS));
  private static final MethodHandle UMOUNT2 =
      Native.link("umount2", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));

  private MountCalls() {}

  /** Mounts a file system of {@code type} at {@code target}. */
  public static void mount(String source, Path target, String type, long flags, String options)
      throws IOException {
    long result =
        Native.call((errno, arena) ->
            (int)
                MOUNT.invokeExact(
                    errno,
                    arena.allocateFrom(source),
                    arena.allocateFrom(target.toString()),
                    arena.allocateFrom(type),
                    flags,
                    arena.allocateFrom(options)));
    Native.orThrow(result, "mount at " + target);
  }

  /** Unmounts what is on top at {@code target}. */
  public static void unmount(Path target, int flags) throws IOException {
    long result =
        Native.call((errno, arena) ->
            (int) UMOUNT2.invokeExact(errno, arena.allocateFrom(target.toString()), flags));
    Native.orThrow(result, "unmount " + target);
  }
}
