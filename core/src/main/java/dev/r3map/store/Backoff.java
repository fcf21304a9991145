package dev.r3map.store;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Waits between tries at a remote: doubling from 10 ms, so that a hiccup costs little, to half a
 * second, so that a remote that returns is noticed at once, with jitter, so that workers do not
 * come back in step.
 */
final class Backoff {
  private static final long FIRST_NANOS = 10_000_000;
  private static final long MOST_NANOS = 500_000_000;

  private long next = FIRST_NANOS;

  void sleep() throws InterruptedException {
    sleep(System.nanoTime() + MOST_NANOS);
  }

  /** Sleeps, but not beyond {@code deadline} ({@link System#nanoTime}). */
  void sleep(long deadline) throws InterruptedException {
    long jittered = next / 2 + ThreadLocalRandom.current().nextLong(next / 2);
    next = Math.min(next * 2, MOST_NANOS);
    long left = Math.max(0, Math.min(jittered, deadline - System.nanoTime()));
    Thread.sleep(left / 1_000_000, (int) (left % 1_000_000));
  }

  /** Like {@link #sleep(long)}, between tries that {@code failure} made necessary. */
  void sleep(long deadline, IOException failure) throws IOException {
    try {
      sleep(deadline);
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      InterruptedIOException e = new InterruptedIOException("interrupted while trying again");
      e.initCause(failure);
      throw e;
    }
  }
}
