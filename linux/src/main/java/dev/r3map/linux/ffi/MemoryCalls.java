package dev.r3map.linux.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Memory: memfd_create(2), mmap(2), munmap(2); constants of {@code asm-generic/mman-common.h}. */
@SuppressWarnings("restricted")
public final class MemoryCalls {
  private static final int MFD_CLOEXEC = 0x1;
  private static final int PROT_READ = 0x1;
  private static final int PROT_WRITE = 0x2;
  private static final int MAP_SHARED = 0x1;
  private static final int MAP_PRIVATE = 0x2;
  private static final int MAP_ANONYMOUS = 0x20;
  private static final int MAP_NORESERVE = 0x4000;

  private static final int NO_DESCRIPTOR = -1;

  private static final MethodHandle MEMFD_CREATE =
      Native.link("memfd_create", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle MMAP =
      Native.link(
          "mmap",
          FunctionDescriptor.of(
              JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
  private static final MethodHandle MUNMAP =
      Native.link("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));

  private MemoryCalls() {}

  /** Does nothing, and throws a {@link LinkageError} where native calls cannot be made. */
  public static void ensureLinked() {}

  /** Makes an empty memory file; {@code name} shows in {@code /proc/PID/fd}. */
  public static int memfdCreate(String name) throws IOException {
    long fd =
        Native.call((errno, arena) ->
            (int) MEMFD_CREATE.invokeExact(errno, arena.allocateFrom(name), MFD_CLOEXEC));
    return (int) Native.orThrow(fd, "create a memory file");
  }

  /** Maps all of a file for reading, shared; lasts until {@link #unmap}. */
  public static MemorySegment mapReadOnly(int fd, long size) throws IOException {
    return map(size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd);
  }

  /** The same for reading and writing. */
  public static MemorySegment mapShared(int fd, long size) throws IOException {
    return map(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd);
  }

  /** Maps memory that takes space only where it is written; page aligned, zero at first. */
  public static MemorySegment mapAnonymous(long size) throws IOException {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    return map(size, PROT_READ | PROT_WRITE, flags, NO_DESCRIPTOR);
  }

  /** Maps zeros that cannot be written and so never take space. */
  public static MemorySegment mapZeros(long size) throws IOException {
    return map(size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NO_DESCRIPTOR);
  }

  /** Ends a mapping. Looking at it afterwards crashes the JVM: nobody may. */
  public static void unmap(MemorySegment mapping) {
    long result =
        Native.call((errno, arena) ->
            (int) MUNMAP.invokeExact(errno, mapping.address(), mapping.byteSize()));
    if (result < 0) {
      throw new IllegalArgumentException("munmap: " + Errno.text((int) -result));
    }
  }

  private static MemorySegment map(long size, int protection, int flags, int fd)
      throws IOException {
    long address =
        Native.call(
            (errno, arena) -> (long) MMAP.invokeExact(errno, 0L, size, protection, flags, fd, 0L));
    Native.orThrow(address, "map memory (size=" + size + ")");
    return MemorySegment.ofAddress(address).reinterpret(size);
  }
}
