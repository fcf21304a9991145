package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.ErrnoException;
import dev.r3map.linux.ffi.Native;
import java.io.IOException;
import java.time.Duration;

/**
 * What kernel and server agreed on.
 *
 * @param passthrough whether the kernel can read a local file itself
 */
record Handshake(boolean passthrough) {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  /** Readahead and writeback at once; the kernel's own default is 12. */
  private static final int MAX_BACKGROUND = 64;

  /** Three quarters, as the kernel's own default is. */
  private static final int CONGESTION = 48;

  private static final int NANOSECONDS = 1;

  /** Files over files, not files over such files. */
  private static final int STACK_DEPTH = 1;

  /**
   * The kernel ends the whole mount when one request is not answered for so much longer than any of
   * ours may take: only then does a process get free that waits for a server that is itself stuck.
   */
  private static final Duration KERNEL_MARGIN = Duration.ofSeconds(25);

  /** The width of the field. */
  private static final long LONGEST_TIMEOUT = 0xffff;

  private static final long WANTED =
      FuseProtocol.ASYNC_READ
          | FuseProtocol.ATOMIC_O_TRUNC
          | FuseProtocol.BIG_WRITES
          | FuseProtocol.ASYNC_DIO
          | FuseProtocol.PARALLEL_DIROPS
          | FuseProtocol.ABORT_ERROR
          | FuseProtocol.MAX_PAGES
          | FuseProtocol.EXPLICIT_INVAL_DATA
          | FuseProtocol.INIT_EXT
          | FuseProtocol.REQUEST_TIMEOUT;

  /**
   * Reads INIT, which the kernel sends first, and answers it.
   *
   * @param passthrough whether it is wanted
   * @param longest how long any request may take
   */
  static Handshake perform(
      FuseConnection connection, Request request, boolean passthrough, Duration longest)
      throws IOException {
    if (!connection.awaitRequest(LIMIT)) {
      throw new IOException("FUSE: the kernel sent no INIT within " + LIMIT);
    }
    if (connection.receive(request) == FuseConnection.ENDED
        || request.opcode() != FuseProtocol.INIT) {
      throw new IOException("FUSE: the kernel did not begin with INIT");
    }
    int major = request.intArgument(FuseProtocol.INIT_IN_MAJOR);
    int minor = request.intArgument(FuseProtocol.INIT_IN_MINOR);
    if (major != FuseProtocol.MAJOR || minor < FuseProtocol.OLDEST_MINOR) {
      throw new IOException(
          "FUSE %d.%d is too old: %d.%d is needed (Linux 3.15)"
              .formatted(major, minor, FuseProtocol.MAJOR, FuseProtocol.OLDEST_MINOR));
    }
    long flags = offered(request) & (passthrough ? WANTED | FuseProtocol.PASSTHROUGH : WANTED);
    putAnswer(request, minor, flags, longest);
    int errno = connection.sendBody(request, request.unique(), FuseProtocol.INIT_OUT_SIZE);
    if (errno != 0) {
      throw new ErrnoException("FUSE: answer INIT", errno == Errno.ENOENT ? Errno.ENODEV : errno);
    }
    return new Handshake((flags & FuseProtocol.PASSTHROUGH) != 0);
  }

  private static long offered(Request request) {
    long low = Integer.toUnsignedLong(request.intArgument(FuseProtocol.INIT_IN_FLAGS));
    boolean extended = (low & FuseProtocol.INIT_EXT) != 0;
    long high = extended ? request.intArgument(FuseProtocol.INIT_IN_FLAGS2) : 0;
    return low | (high << Integer.SIZE);
  }

  private static void putAnswer(Request reply, int kernelMinor, long flags, Duration longest) {
    int seconds = (int) Math.min(longest.plus(KERNEL_MARGIN).toSeconds(), LONGEST_TIMEOUT);
    boolean timeout = (flags & FuseProtocol.REQUEST_TIMEOUT) != 0;
    boolean passthrough = (flags & FuseProtocol.PASSTHROUGH) != 0;
    reply.clearBody(FuseProtocol.INIT_OUT_SIZE);
    reply.put(FuseProtocol.INIT_OUT_MAJOR, FuseProtocol.MAJOR);
    reply.put(FuseProtocol.INIT_OUT_MINOR, Math.min(kernelMinor, FuseProtocol.NEWEST_MINOR));
    reply.put(FuseProtocol.INIT_OUT_MAX_READAHEAD, FuseProtocol.MAX_TRANSFER);
    reply.put(FuseProtocol.INIT_OUT_FLAGS, (int) flags);
    reply.put(FuseProtocol.INIT_OUT_FLAGS2, (int) (flags >>> Integer.SIZE));
    reply.put(FuseProtocol.INIT_OUT_MAX_WRITE, FuseProtocol.MAX_TRANSFER);
    reply.put(FuseProtocol.INIT_OUT_TIME_GRANULARITY, NANOSECONDS);
    reply.put(FuseProtocol.INIT_OUT_MAX_STACK_DEPTH, passthrough ? STACK_DEPTH : 0);
    reply.putShort(FuseProtocol.INIT_OUT_MAX_BACKGROUND, MAX_BACKGROUND);
    reply.putShort(FuseProtocol.INIT_OUT_CONGESTION, CONGESTION);
    reply.putShort(FuseProtocol.INIT_OUT_MAX_PAGES, FuseProtocol.MAX_TRANSFER / Native.PAGE_SIZE);
    reply.putShort(FuseProtocol.INIT_OUT_REQUEST_TIMEOUT, timeout ? seconds : 0);
  }
}
