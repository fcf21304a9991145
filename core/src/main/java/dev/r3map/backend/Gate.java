package dev.r3map.backend;

import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;

/**
 * Lets calls in until it is shut, and knows when the last of them has left. Two striped counters
 * and no lock, so that concurrent readers do not slow each other down.
 */
final class Gate {
  private static final long POLL_NANOS = 50_000;

  private final LongAdder entered = new LongAdder();
  private final LongAdder left = new LongAdder();
  private volatile boolean shut;

  /** False if the gate is shut; otherwise {@link #leave} must follow. */
  boolean enter() {
    entered.increment();
    if (shut) {
      left.increment();
      return false;
    }
    return true;
  }

  void leave() {
    left.increment();
  }

  /** Lets nobody in any more and returns once everybody is out. */
  void shut() {
    shut = true;
    // In this order: who is counted as gone by the first sum is counted as come by the second.
    for (long gone = left.sum(); gone != entered.sum(); gone = left.sum()) {
      LockSupport.parkNanos(POLL_NANOS);
    }
  }
}
