package dev.r3map.internal;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;

/**
 * Lets calls in until it is shut, and knows when the last of them has left. Two striped counters
 * and no lock, so that concurrent readers do not slow each other down.
 */
public final class Gate {
  private static final long POLL_NANOS = 50_000;

  private final LongAdder entered = new LongAdder();
  private final LongAdder left = new LongAdder();
  private final AtomicBoolean shut = new AtomicBoolean();

  /** False if the gate is shut; otherwise {@link #leave} must follow. */
  public boolean enter() {
    entered.increment();
    if (shut.get()) {
      left.increment();
      return false;
    }
    return true;
  }

  /** The call is over. */
  public void leave() {
    left.increment();
  }

  /** Lets nobody in any more; true for the first caller. */
  public boolean shut() {
    return shut.compareAndSet(false, true);
  }

  /** Whether nobody is let in. */
  public boolean isShut() {
    return shut.get();
  }

  /** Returns once everybody is out; the gate is shut. */
  public void drain() {
    while (!isEmpty()) {
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** The same, but false if somebody is still in after {@code patience}. */
  public boolean drain(Duration patience) {
    long deadline = System.nanoTime() + patience.toNanos();
    while (!isEmpty()) {
      if (System.nanoTime() - deadline >= 0) {
        return false;
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
    return true;
  }

  private boolean isEmpty() {
    // In this order: who is counted as gone by the first sum is counted as come by the second.
    long gone = left.sum();
    return gone == entered.sum();
  }
}
