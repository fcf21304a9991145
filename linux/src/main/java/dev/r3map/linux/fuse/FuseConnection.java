package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.ErrnoException;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.FuseCalls;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * An open {@code /dev/fuse}: requests come in, replies and notifications go out, from any thread.
 * Owns the descriptor until {@link #close}, which waits for whoever is sending; later sends do
 * nothing. Nobody may be receiving then.
 */
final class FuseConnection implements AutoCloseable {
  /** What {@link #receive} answers when the mount is gone. */
  static final int ENDED = -1;

  private static final int CLOSED = 1 << 30;

  /** A send is a copy within the kernel and takes microseconds; this is for a stopped machine. */
  private static final Duration SEND_LIMIT = Duration.ofSeconds(5);

  private final int fd;

  /** How many are sending, and whether this is closed. */
  private final AtomicInteger senders = new AtomicInteger();

  FuseConnection(int fd) {
    this.fd = fd;
  }

  int descriptor() {
    return fd;
  }

  /** Waits until a request can be received without waiting. */
  boolean awaitRequest(Duration limit) throws IOException {
    return FuseCalls.awaitReadable(fd, (int) limit.toMillis());
  }

  /**
   * Waits for a request.
   *
   * @return its length, or {@link #ENDED}
   * @throws IOException if the device fails for another reason
   */
  int receive(Request request) throws IOException {
    while (true) {
      int length = FuseCalls.read(request.errno(), fd, request.address(), request.capacity());
      switch (length) {
        // ENOENT: the request was interrupted before it was read.
        case -Errno.EINTR, -Errno.EAGAIN, -Errno.ENOENT -> {}
        case -Errno.ENODEV, -Errno.ECONNABORTED -> {
          return ENDED;
        }
        default -> {
          if (length < 0) {
            throw new ErrnoException("read from /dev/fuse", -length);
          }
          return length;
        }
      }
    }
  }

  /**
   * Sends what {@code request} holds.
   *
   * @return 0, or the {@code errno}; {@code ENOENT} if nobody waits for it any more
   */
  int send(Request request) {
    if ((senders.getAndIncrement() & CLOSED) != 0) {
      senders.getAndDecrement();
      return Errno.ENOENT;
    }
    try {
      int sent =
          FuseCalls.writev(request.errno(), fd, request.vectorsAddress(), request.vectorCount());
      return sent < 0 ? -sent : 0;
    } finally {
      senders.getAndDecrement();
    }
  }

  /** Answers with an error, or with success and nothing else if {@code errno} is 0. */
  int sendError(Request request, long unique, int errno) {
    boolean understood = errno >= 0 && errno <= FuseProtocol.LARGEST_ERRNO;
    request.finishBody(0, understood ? -errno : -Errno.EIO, unique);
    return send(request);
  }

  /** Answers with the body that was put. */
  int sendBody(Request request, long unique, int length) {
    request.finishBody(length, 0, unique);
    return send(request);
  }

  /** Answers with the vectors that were added. */
  int sendVectors(Request request, long unique) {
    request.finishVectors(0, unique);
    return send(request);
  }

  @Override
  public void close() throws IOException {
    if ((senders.getAndUpdate(n -> n | CLOSED) & CLOSED) != 0) {
      return;
    }
    long deadline = System.nanoTime() + SEND_LIMIT.toNanos();
    while (senders.get() != CLOSED) {
      if (System.nanoTime() - deadline > 0) {
        // Closing it now could hand its number to another file while somebody writes to it.
        throw new IOException("a reply to /dev/fuse does not return: its descriptor is left open");
      }
      LockSupport.parkNanos(100_000);
    }
    FileCalls.close(fd);
  }
}
