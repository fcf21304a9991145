package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.Errno;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * The requests that wait: each has a virtual thread of its own, and one watchdog thread answers
 * those that wait for too long, so that no program hangs for ever. Owns these threads until {@link
 * #close}, which interrupts the requests in flight.
 *
 * <p>The watchdog is a platform thread: it works also when every carrier of virtual threads is held
 * by somebody who reads the mount from within this JVM.
 */
final class DeferredRequests implements AutoCloseable {
  /** A request is answered at most this much after its deadline. */
  private static final Duration SWEEP = Duration.ofMillis(250);

  private static final Duration CLOSE_POLL = Duration.ofMillis(1);

  private final FuseConnection connection;
  private final RequestPool pool;
  private final FailureLog log;
  private final Duration closeLimit;
  private final Set<Deferred> inFlight = ConcurrentHashMap.newKeySet();
  private final Request errorReply;
  private final Thread watchdog;
  private volatile boolean watchdogSleeps;
  private volatile boolean closed;

  /**
   * Begins to watch.
   *
   * @param closeLimit how long {@link #close} waits for requests in flight
   */
  DeferredRequests(
      FuseConnection connection, RequestPool pool, FailureLog log, String name, Duration closeLimit)
      throws IOException {
    this.connection = connection;
    this.pool = pool;
    this.log = log;
    this.closeLimit = closeLimit;
    errorReply = new Request();
    watchdog = Thread.ofPlatform().daemon().name(name + " watchdog").start(this::watch);
  }

  /** Has {@code work} answer a request, in a thread of its own that gives its memory back. */
  void start(Deferred deferred, Consumer<Deferred> work) {
    inFlight.add(deferred);
    if (watchdogSleeps) {
      LockSupport.unpark(watchdog);
    }
    Thread worker =
        Thread.ofVirtual()
            .unstarted(() -> {
              try {
                work.accept(deferred);
              } finally {
                inFlight.remove(deferred);
                pool.giveBack(deferred.request());
              }
            });
    deferred.worker(worker);
    worker.start();
    if (closed) {
      worker.interrupt();
    }
  }

  /**
   * A program that waits for a request got a signal. If that kills it, it need not wait for the
   * answer; if not, its system call goes on, as it does on a disk.
   */
  void interrupted(long unique) {
    for (Deferred deferred : inFlight) {
      if (deferred.unique() == unique && Processes.isBeingKilled(deferred.threadId())) {
        answerInstead(deferred, Errno.EINTR);
      }
    }
  }

  /** Whether requests in flight are being given up. */
  boolean isClosed() {
    return closed;
  }

  @Override
  public void close() throws IOException {
    closed = true;
    LockSupport.unpark(watchdog);
    Joins.join(watchdog, closeLimit);
    errorReply.free();
    inFlight.forEach(Deferred::interrupt);
    long deadline = System.nanoTime() + closeLimit.toNanos();
    while (!inFlight.isEmpty()) {
      if (System.nanoTime() - deadline > 0) {
        throw new IOException(
            inFlight.size() + " requests do not end",
            new TimeoutException(closeLimit + " after they were interrupted"));
      }
      LockSupport.parkNanos(CLOSE_POLL.toNanos());
    }
  }

  private void watch() {
    while (!closed) {
      watchdogSleeps = true;
      if (inFlight.isEmpty()) {
        LockSupport.park(this);
      }
      watchdogSleeps = false;
      if (closed) {
        return;
      }
      LockSupport.parkNanos(this, SWEEP.toNanos());
      long now = System.nanoTime();
      for (Deferred deferred : inFlight) {
        if (!deferred.isClaimed() && deferred.isOverdue(now)) {
          answerOverdue(deferred);
        }
      }
    }
  }

  private void answerOverdue(Deferred deferred) {
    if (answerInstead(deferred, Errno.EIO)) {
      log.failed(
          FuseProtocol.name(deferred.opcode()),
          deferred.offset(),
          deferred.length(),
          new TimeoutException("the region did not answer in time"));
    }
  }

  /** The thread goes on, and finds that nobody needs its answer. */
  private boolean answerInstead(Deferred deferred, int errno) {
    if (!deferred.claim()) {
      return false;
    }
    synchronized (errorReply) {
      connection.sendError(errorReply, deferred.unique(), errno);
    }
    return true;
  }
}
