package dev.r3map.linux.fuse;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Request memory, made as it is needed up to a bound; owns what is not taken. Closed once nobody
 * waits for one; what is given back later is freed then.
 */
final class RequestPool implements AutoCloseable {
  /**
   * What waits with memory: a READ of a direct mount, and a WRITE that must fetch first. The kernel
   * keeps 64 in the background, and one for every thread that waits in a system call; those beyond
   * this many wait for memory first. Takes memory only where it is touched.
   */
  static final int MOST = 256;

  /** So many are kept when they are idle; a burst beyond that gives its memory back. */
  private static final int KEPT = 8;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition given = lock.newCondition();
  private final ArrayDeque<Request> idle = new ArrayDeque<>();
  private int made;
  private boolean closed;

  /** Waits for one that nobody else has; null once this is closed. */
  @Nullable Request take() throws IOException {
    lock.lock();
    try {
      while (!closed) {
        Request request = idle.poll();
        if (request != null) {
          return request;
        }
        if (made < MOST) {
          try {
            request = new Request();
            made++;
            return request;
          } catch (IOException e) {
            if (made == 0) {
              throw e;
            }
            // No memory: one that is in use will do, later.
          }
        }
        given.awaitUninterruptibly();
      }
      return null;
    } finally {
      lock.unlock();
    }
  }

  /** Gives back what was taken. */
  void giveBack(Request request) {
    lock.lock();
    try {
      if (closed || (idle.size() >= KEPT && !lock.hasWaiters(given))) {
        made--;
        request.free();
      } else {
        idle.push(request);
        given.signal();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Frees what is idle, and lets whoever waits go without. */
  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      made -= idle.size();
      idle.forEach(Request::free);
      idle.clear();
      given.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
