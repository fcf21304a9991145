package dev.r3map.nbd.server;

import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Direct memory for what travels, counted: who finds none waits. Buffers are kept for the next who
 * asks, because a fresh one is zeroed first, which costs as much as a copy. Thread-safe.
 */
final class Buffers {
  private static final int SMALLEST_SHIFT = 12;
  private static final int LARGEST_SHIFT = 25;

  /** What unused buffers may take altogether, in bytes. */
  private static final long KEPT = 64L << 20;

  private final ConcurrentLinkedQueue<ByteBuffer>[] unused;
  private final AtomicLong kept = new AtomicLong();
  private final int most;
  private final Semaphore pages;

  /**
   * @param bytes that may be in use at a time; at least as many as the largest request takes
   */
  @SuppressWarnings({"unchecked", "rawtypes"})
  Buffers(long bytes) {
    unused = new ConcurrentLinkedQueue[LARGEST_SHIFT - SMALLEST_SHIFT + 1];
    for (int i = 0; i < unused.length; i++) {
      unused[i] = new ConcurrentLinkedQueue<>();
    }
    long all = Math.max(bytes, 1L << LARGEST_SHIFT) >>> SMALLEST_SHIFT;
    most = (int) Math.min(all, Integer.MAX_VALUE);
    pages = new Semaphore(most, true);
  }

  /** What a buffer of so many bytes takes, in units of this class. */
  static int pages(int bytes) {
    return 1 << (shift(bytes) - SMALLEST_SHIFT);
  }

  /** How many of them there are. */
  int pages() {
    return most;
  }

  /** Bytes that were taken and not given back. */
  long inUse() {
    return (long) (most - pages.availablePermits()) << SMALLEST_SHIFT;
  }

  /**
   * A buffer of so many bytes, whose content is whatever was there before.
   *
   * @return null if there was no memory for so long
   */
  @Nullable ByteBuffer take(int bytes, long nanos) throws InterruptedException {
    int shift = shift(bytes);
    if (!pages.tryAcquire(pages(bytes), nanos, TimeUnit.NANOSECONDS)) {
      return null;
    }
    ByteBuffer buffer = unused[shift - SMALLEST_SHIFT].poll();
    if (buffer == null) {
      return allocate(shift).limit(bytes);
    }
    kept.addAndGet(-buffer.capacity());
    return buffer.clear().limit(bytes);
  }

  private ByteBuffer allocate(int shift) {
    try {
      return ByteBuffer.allocateDirect(1 << shift);
    } catch (OutOfMemoryError e) {
      pages.release(1 << (shift - SMALLEST_SHIFT));
      throw e;
    }
  }

  /** Ends the use of a buffer that {@link #take} gave. */
  void giveBack(ByteBuffer buffer) {
    int shift = shift(buffer.capacity());
    try {
      if (kept.addAndGet(buffer.capacity()) <= KEPT) {
        unused[shift - SMALLEST_SHIFT].add(buffer);
      } else {
        kept.addAndGet(-buffer.capacity());
      }
    } catch (OutOfMemoryError e) {
      // Not even for the link of a list: then it is not kept.
      kept.addAndGet(-buffer.capacity());
    } finally {
      pages.release(1 << (shift - SMALLEST_SHIFT));
    }
  }

  private static int shift(int bytes) {
    return Math.max(SMALLEST_SHIFT, Integer.SIZE - Integer.numberOfLeadingZeros(bytes - 1));
  }
}
