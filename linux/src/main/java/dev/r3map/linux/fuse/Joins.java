package dev.r3map.linux.fuse;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Waiting for threads that may hang in the kernel, never for longer than a limit. */
final class Joins {
  private Joins() {}

  /** Waits for the end of a thread; an interrupt of the caller waits until then. */
  static void join(Thread thread, Duration limit) throws IOException {
    if (!joined(thread, limit)) {
      throw new IOException("thread " + thread.getName() + " does not end within " + limit);
    }
  }

  /** Waits for the end of a thread; false if it does not end in time. */
  static boolean joined(Thread thread, Duration limit) {
    boolean interrupted = false;
    long deadline = System.nanoTime() + limit.toNanos();
    try {
      while (true) {
        try {
          return thread.join(Duration.ofNanos(deadline - System.nanoTime()));
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /**
   * Does something that may hang in the kernel, in a thread that is left behind if it does.
   *
   * @param action what is done, for the exception and the thread's name
   */
  static <T> T within(Duration limit, String action, Callable<T> call) throws IOException {
    FutureTask<T> task = new FutureTask<>(call);
    Thread thread = Thread.ofPlatform().daemon().name(action).start(task);
    boolean interrupted = false;
    long deadline = System.nanoTime() + limit.toNanos();
    try {
      while (true) {
        try {
          T result = task.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
          joined(thread, limit);
          return result;
        } catch (InterruptedException e) {
          interrupted = true;
        } catch (TimeoutException e) {
          throw new IOException(action + ": no answer within " + limit, e);
        } catch (ExecutionException e) {
          if (e.getCause() instanceof IOException cause) {
            throw cause;
          }
          throw new IOException(action + " failed", e.getCause());
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
