package dev.r3map.linux.fuse;

import java.util.concurrent.locks.ReentrantLock;

/**
 * Decides how each open file is served, and counts them: the kernel allows passthrough only while
 * nothing else is open, mappings included, and nothing else while passthrough is. Thread-safe.
 *
 * <p>The handle that the kernel keeps says how: its lowest bits are one of the kinds below.
 */
final class OpenFiles {
  /** Through the page cache. */
  static final int CACHED = 0;

  /** Past the page cache; cannot be mapped shared. */
  static final int DIRECT = 1;

  /** The kernel reads the local file itself, and asks nothing. */
  static final int PASSTHROUGH = 2;

  private static final int KIND_BITS = 2;
  private static final long KIND_MASK = (1 << KIND_BITS) - 1;

  private final ReentrantLock lock = new ReentrantLock();
  private final boolean alwaysDirect;
  private final Passthrough passthrough;
  private long sequence;
  private int served;
  private int passedThrough;

  OpenFiles(boolean alwaysDirect, Passthrough passthrough) {
    this.alwaysDirect = alwaysDirect;
    this.passthrough = passthrough;
  }

  /**
   * Opens for a thread.
   *
   * @return the handle
   */
  long open(int threadId) {
    // A thread of this JVM that touched a page of a mapping would wait for us without being at a
    // safepoint, and we might wait for a safepoint. A file past the page cache cannot be mapped.
    boolean direct = alwaysDirect || Processes.isOurs(threadId);
    lock.lock();
    try {
      int kind;
      if (passedThrough > 0 || (served == 0 && passthrough.isPossible())) {
        kind = PASSTHROUGH;
        passedThrough++;
      } else {
        kind = direct ? DIRECT : CACHED;
        served++;
      }
      return (++sequence << KIND_BITS) | kind;
    } finally {
      lock.unlock();
    }
  }

  /** The last user of a handle is gone. */
  void released(long handle) {
    lock.lock();
    try {
      if (kind(handle) == PASSTHROUGH) {
        passedThrough--;
      } else {
        served--;
      }
    } finally {
      lock.unlock();
    }
  }

  /** How a handle is served. */
  static int kind(long handle) {
    return (int) (handle & KIND_MASK);
  }
}
