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
  private final FailureLog log;
  private final Duration closeLimit;
  private final Set<Deferred> inFlight = ConcurrentHashMap.newKeySet();
  private final Request errorReply;
  private final Thread watchdog;
  private final String workerName;
  private volatile boolean watchdogSleeps;
  private volatile boolean closed;

  /**
   * Begins to watch.
   *
   * @param closeLimit how long {@link #close} waits for requests in flight
   */
  DeferredRequests(FuseConnection connection, FailureLog log, String name, Duration closeLimit)
      throws IOException {
    this.connection = connection;
    this.log = log;
    this.closeLimit = closeLimit;
    workerName = name + " request";
    errorReply = new Request();
    watchdog = Thread.ofPlatform().daemon().name(name + " watchdog").start(this::watch);
  }

  /**
   * Has a request answered by a thread of its own.
   *
   * @param work claims the request and answers it, and does not throw
   */
  void start(Deferred deferred, Consumer<Deferred> work) {
    inFlight.add(deferred);
    if (watchdogSleeps) {
      LockSupport.unpark(watchdog);
    }
    Thread worker =
        Thread.ofVirtual()
            .name(workerName)
            .unstarted(() -> {
              try {
                work.accept(deferred);
              } finally {
                inFlight.remove(deferred);
              }
            });
    deferred.worker(worker);
    try {
      worker.start();
    } catch (Throwable t) {
      inFlight.remove(deferred);
      throw t;
    }
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
        fail(deferred, Errno.EINTR);
      }
    }
  }

  /**
   * Answers with an error, unless somebody has answered already.
   *
   * @return whether this was the answer
   */
  boolean fail(Deferred deferred, int errno) {
    if (!deferred.claim()) {
      return false;
    }
    synchronized (errorReply) {
      connection.sendError(errorReply, deferred.unique(), errno);
    }
    return true;
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
    // Only now: whoever goes on in spite of all may need it.
    errorReply.free();
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
    if (fail(deferred, Errno.EIO)) {
      log.failed(
          FuseProtocol.name(deferred.opcode()),
          deferred.offset(),
          deferred.length(),
          new TimeoutException("the region did not answer in time"));
    }
  }
}
