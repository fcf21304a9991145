package dev.r3map.nbd.server;

import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;

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
    long most = Math.max(bytes, 1L << LARGEST_SHIFT) >>> SMALLEST_SHIFT;
    pages = new Semaphore((int) Math.min(most, Integer.MAX_VALUE), true);
  }

  /** A buffer of so many bytes, whose content is whatever was there before. */
  ByteBuffer take(int bytes) throws InterruptedException {
    int shift = shift(bytes);
    pages.acquire(1 << (shift - SMALLEST_SHIFT));
    ByteBuffer buffer = unused[shift - SMALLEST_SHIFT].poll();
    if (buffer == null) {
      return ByteBuffer.allocateDirect(1 << shift).limit(bytes);
    }
    kept.addAndGet(-buffer.capacity());
    return buffer.clear().limit(bytes);
  }

  /** Ends the use of a buffer that {@link #take} gave. */
  void giveBack(ByteBuffer buffer) {
    int shift = shift(buffer.capacity());
    if (kept.addAndGet(buffer.capacity()) <= KEPT) {
      unused[shift - SMALLEST_SHIFT].add(buffer);
    } else {
      kept.addAndGet(-buffer.capacity());
    }
    pages.release(1 << (shift - SMALLEST_SHIFT));
  }

  private static int shift(int bytes) {
    return Math.max(SMALLEST_SHIFT, Integer.SIZE - Integer.numberOfLeadingZeros(bytes - 1));
  }
}
