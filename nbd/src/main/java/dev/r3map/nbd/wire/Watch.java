package dev.r3map.nbd.wire;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Decides whether and for how long a reader looks for more instead of going to sleep. Of one
 * thread; all together, they leave half of the processors to others.
 */
final class Watch {
  /** About what it takes to be woken on another processor. */
  private static final long NANOS = 20_000;

  /** What may be in vain before it is given up. */
  private static final int HOPE = 8;

  private static final int MOST = Runtime.getRuntime().availableProcessors() / 2;
  private static final AtomicInteger WATCHING = new AtomicInteger();

  private int hope = HOPE;
  private long until;

  /** Whether to look; {@link #end} must follow then. */
  boolean begin() {
    if (hope == 0) {
      return false;
    }
    if (WATCHING.incrementAndGet() > MOST) {
      WATCHING.decrementAndGet();
      return false;
    }
    until = System.nanoTime() + NANOS;
    return true;
  }

  boolean goesOn() {
    return System.nanoTime() - until < 0;
  }

  void end(boolean found) {
    WATCHING.decrementAndGet();
    hope = found ? HOPE : hope - 1;
  }

  /** What was slept through that could have been watched for raises hope again. */
  void wokenAfter(long nanos) {
    if (nanos < 2 * NANOS) {
      hope = HOPE;
    }
  }
}
