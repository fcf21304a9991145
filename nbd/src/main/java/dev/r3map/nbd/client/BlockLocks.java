package dev.r3map.nbd.client;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps a read-modify-write apart from every other write to its blocks; whole blocks may be written
 * by many at a time.
 */
final class BlockLocks {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition released = lock.newCondition();
  private final List<Hold> holds = new ArrayList<>();

  /** A range that is held, until it is closed. */
  final class Hold implements AutoCloseable {
    private final long start;
    private final long end;
    private final boolean alone;

    private Hold(long start, long end, boolean alone) {
      this.start = start;
      this.end = end;
      this.alone = alone;
    }

    private boolean bars(Hold later) {
      return start < later.end && later.start < end && (alone || later.alone);
    }

    @Override
    public void close() {
      lock.lock();
      try {
        holds.removeIf(hold -> hold == this);
        released.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /**
   * Waits until the range is free; in turn, so that nobody waits for ever.
   *
   * @param alone whether nobody else may hold any of it
   * @param nanos for how long to wait
   */
  Hold hold(long start, long end, boolean alone, long nanos) throws IOException {
    Hold mine = new Hold(start, end, alone);
    boolean mineNow = false;
    lock.lock();
    try {
      holds.add(mine);
      for (long left = nanos; isBarred(mine); ) {
        if (left <= 0) {
          throw new IOException("other writes to the same blocks take too long");
        }
        left = released.awaitNanos(left);
      }
      mineNow = true;
      return mine;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while others wrote to the same blocks");
    } finally {
      if (!mineNow) {
        mine.close();
      }
      lock.unlock();
    }
  }

  private boolean isBarred(Hold mine) {
    for (Hold hold : holds) {
      if (hold == mine) {
        return false;
      }
      if (hold.bars(mine)) {
        return true;
      }
    }
    return false;
  }
}
