package dev.r3map.grpc;

import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Arrays that are used again: a fresh one of a frame's size costs more to zero and to collect than
 * the copy it is for. Powers of two from 4 KiB to 2 MiB are kept, 64 MiB of them at most.
 */
final class Buffers {
  private static final int SMALLEST_SHIFT = 12;
  private static final int LARGEST_SHIFT = 21;
  private static final long KEPT = 64L << 20;

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static final ConcurrentLinkedDeque<byte[]>[] FREE =
      new ConcurrentLinkedDeque[LARGEST_SHIFT - SMALLEST_SHIFT + 1];

  private static final AtomicLong KEEPING = new AtomicLong();

  static {
    for (int i = 0; i < FREE.length; i++) {
      FREE[i] = new ConcurrentLinkedDeque<>();
    }
  }

  private Buffers() {}

  /** An array of at least {@code size} bytes, holding whatever was in it. */
  static byte[] take(int size) {
    int shift =
        Math.max(
            SMALLEST_SHIFT, Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(size, 1) - 1));
    if (shift > LARGEST_SHIFT) {
      return new byte[size];
    }
    byte[] kept = FREE[shift - SMALLEST_SHIFT].pollFirst();
    if (kept == null) {
      return new byte[1 << shift];
    }
    KEEPING.addAndGet(-kept.length);
    return kept;
  }

  /** Gives back what {@link #take} gave; the caller has forgotten it. */
  static void give(byte[] array) {
    if (array.length > 1 << LARGEST_SHIFT || KEEPING.get() >= KEPT) {
      return;
    }
    KEEPING.addAndGet(array.length);
    int shift = Integer.SIZE - 1 - Integer.numberOfLeadingZeros(array.length);
    FREE[shift - SMALLEST_SHIFT].offerFirst(array);
  }

  /** {@link #take} as a buffer with {@code size} bytes remaining. */
  static ByteBuffer takeBuffer(int size) {
    return ByteBuffer.wrap(take(size), 0, size);
  }

  /** Gives back what {@link #takeBuffer} gave. */
  @SuppressWarnings("ByteBufferBackingArray") // It was wrapped there, from 0 on.
  static void give(ByteBuffer buffer) {
    give(buffer.array());
  }
}
