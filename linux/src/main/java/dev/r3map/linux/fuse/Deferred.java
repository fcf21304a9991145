package dev.r3map.linux.fuse;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A request that a virtual thread answers. Whoever {@link #claim}s it answers it, and nobody else
 * does: the thread, or the watchdog when that takes too long.
 */
final class Deferred {
  private final int opcode;
  private final long unique;
  private final int threadId;
  private final long offset;
  private final int length;
  private final long deadline;
  private final AtomicBoolean claimed = new AtomicBoolean();
  private volatile @Nullable Thread worker;

  /**
   * A request with no answer yet; what it consists of is copied.
   *
   * @param deadline of {@link System#nanoTime}
   */
  Deferred(Request request, long offset, int length, long deadline) {
    opcode = request.opcode();
    unique = request.unique();
    threadId = request.threadId();
    this.offset = offset;
    this.length = length;
    this.deadline = deadline;
  }

  int opcode() {
    return opcode;
  }

  long unique() {
    return unique;
  }

  /** Who waits for the answer. */
  int threadId() {
    return threadId;
  }

  long offset() {
    return offset;
  }

  int length() {
    return length;
  }

  boolean isOverdue(long now) {
    return now - deadline > 0;
  }

  /** True for exactly one caller, who must answer. */
  boolean claim() {
    return claimed.compareAndSet(false, true);
  }

  boolean isClaimed() {
    return claimed.get();
  }

  void worker(Thread thread) {
    worker = thread;
  }

  /** Tells the thread that nobody needs its answer. */
  void interrupt() {
    Thread thread = worker;
    if (thread != null) {
      thread.interrupt();
    }
  }
}
