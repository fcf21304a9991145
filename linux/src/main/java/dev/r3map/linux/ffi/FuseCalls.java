package dev.r3map.linux.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The device {@code /dev/fuse}: read(2), writev(2), poll(2) and its ioctl(2)s; {@code
 * linux/fuse.h}. The first two are called for every request and so take addresses and allocate
 * nothing.
 */
public final class FuseCalls {
  /** {@code _IOW(229, 1, struct fuse_backing_map)}. */
  private static final long FUSE_DEV_IOC_BACKING_OPEN = 0x4010_e501L;

  /** {@code _IOW(229, 2, uint32_t)}. */
  private static final long FUSE_DEV_IOC_BACKING_CLOSE = 0x4004_e502L;

  /** {@code struct fuse_backing_map {int32_t fd; uint32_t flags; uint64_t padding}}. */
  private static final long BACKING_MAP_SIZE = 16;

  /** {@code struct pollfd {int fd; short events; short revents}}. */
  private static final long POLLFD_SIZE = 8;

  private static final long POLLFD_EVENTS = 4;
  private static final short POLLIN = 1;

  /** {@code struct iovec {void *base; size_t length}}. */
  public static final long IOVEC_SIZE = 16;

  public static final long IOVEC_BASE = 0;
  public static final long IOVEC_LENGTH = 8;

  private static final MethodHandle READ =
      Native.link("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle WRITEV =
      Native.link("writev", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
  private static final MethodHandle POLL =
      Native.link("poll", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
  private static final MethodHandle IOCTL =
      Native.link(
          "ioctl",
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS),
          Linker.Option.firstVariadicArg(2));

  private FuseCalls() {}

  /**
   * Waits for a request.
   *
   * @return its length, or the negated {@code errno}
   */
  public static int read(MemorySegment errno, int fd, long address, long length) {
    try {
      return (int) Native.result((long) READ.invokeExact(errno, fd, address, length), errno);
    } catch (Throwable t) {
      throw Native.unexpected(t);
    }
  }

  /**
   * Answers a request, or notifies.
   *
   * @return how many bytes went, or the negated {@code errno}
   */
  public static int writev(MemorySegment errno, int fd, long iovecs, int count) {
    try {
      return (int) Native.result((long) WRITEV.invokeExact(errno, fd, iovecs, count), errno);
    } catch (Throwable t) {
      throw Native.unexpected(t);
    }
  }

  /** Waits until there is something to read; false if there is nothing for so long. */
  public static boolean awaitReadable(int fd, int milliseconds) throws IOException {
    long ready =
        Native.retry((errno, arena) -> {
          MemorySegment poll = arena.allocate(POLLFD_SIZE, Integer.BYTES);
          poll.set(JAVA_INT, 0, fd);
          poll.set(JAVA_SHORT, POLLFD_EVENTS, POLLIN);
          return (int) POLL.invokeExact(errno, poll, 1L, milliseconds);
        });
    return Native.orThrow(ready, "poll") > 0;
  }

  /** Tells the kernel of a file to read instead of asking; returns the name it gives to it. */
  public static int backingOpen(int fuse, int fd) throws IOException {
    long id =
        Native.call((errno, arena) -> {
          MemorySegment map = arena.allocate(BACKING_MAP_SIZE, Long.BYTES);
          map.set(JAVA_INT, 0, fd);
          return (int) IOCTL.invokeExact(errno, fuse, FUSE_DEV_IOC_BACKING_OPEN, map);
        });
    return (int) Native.orThrow(id, "open a backing file");
  }

  /** Undoes {@link #backingOpen}. */
  public static void backingClose(int fuse, int id) throws IOException {
    long result =
        Native.call((errno, arena) ->
            (int)
                IOCTL.invokeExact(
                    errno, fuse, FUSE_DEV_IOC_BACKING_CLOSE, arena.allocateFrom(JAVA_INT, id)));
    Native.orThrow(result, "close a backing file");
  }
}
