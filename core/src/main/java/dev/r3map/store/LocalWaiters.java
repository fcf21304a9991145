package dev.r3map.store;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Lets callers wait until enough is local, at no cost for pulling while nobody waits. */
final class LocalWaiters {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final AtomicInteger waiting = new AtomicInteger();

  /** Is asked again each time something has become local. */
  interface Goal {
    boolean reached() throws IOException;
  }

  /** False if the goal was not reached by {@code deadline} ({@link System#nanoTime}). */
  boolean await(Goal goal, long deadline) throws IOException, InterruptedException {
    waiting.incrementAndGet();
    lock.lock();
    try {
      while (!goal.reached()) {
        // Woken now and then all the same: a goal may also end because the pull has failed.
        long left = Math.min(deadline - System.nanoTime(), 100_000_000);
        if (left <= 0) {
          return false;
        }
        changed.awaitNanos(left);
      }
      return true;
    } finally {
      lock.unlock();
      waiting.decrementAndGet();
    }
  }

  void signal() {
    if (waiting.get() > 0) {
      lock.lock();
      try {
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }
}
