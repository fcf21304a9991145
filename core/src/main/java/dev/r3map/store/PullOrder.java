package dev.r3map.store;

import java.util.Comparator;
import java.util.function.LongUnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Hands out the chunks to pull, each once, and takes back those that failed. Thread-safe.
 *
 * <p>With a priority: higher first, ties by offset. Without one: by offset, going on from where a
 * reader last had to wait, because readers go forward.
 */
final class PullOrder {
  private final BlockSet handedOut;
  private final long count;
  private final int @Nullable [] byPriority;
  private int position;
  private long cursor;

  PullOrder(Chunks chunks, @Nullable LongUnaryOperator priority) {
    count = chunks.count();
    handedOut = new BlockSet(count);
    byPriority = priority == null ? null : sorted(chunks, priority);
  }

  private static int[] sorted(Chunks chunks, LongUnaryOperator priority) {
    int count = Math.toIntExact(chunks.count());
    long[] priorities = new long[count];
    for (int i = 0; i < count; i++) {
      priorities[i] = priority.applyAsLong(chunks.offset(i));
    }
    return IntStream.range(0, count)
        .boxed()
        .sorted(Comparator.comparingLong((Integer i) -> priorities[i]).reversed())
        .mapToInt(Integer::intValue)
        .toArray();
  }

  /** The next chunk, or -1 if all are handed out. */
  synchronized long next() {
    if (handedOut.cardinality() == count) {
      return -1;
    }
    long chunk = byPriority == null ? nextByOffset() : nextByPriority(byPriority);
    handedOut.set(chunk);
    return chunk;
  }

  private long nextByOffset() {
    long chunk = handedOut.nextClear(cursor, count);
    if (chunk == count) {
      chunk = handedOut.nextClear(0, count);
    }
    cursor = chunk + 1;
    return chunk;
  }

  private long nextByPriority(int[] order) {
    while (handedOut.get(order[position])) {
      position++;
    }
    return order[position];
  }

  /** A chunk that could not be pulled will be handed out again. */
  synchronized void giveBack(long chunk) {
    handedOut.clear(chunk, chunk + 1);
    position = 0;
  }

  /** A reader had to wait for a chunk and is likely to want the next ones. */
  synchronized void readerAt(long chunk) {
    cursor = Math.min(chunk + 1, count);
  }
}
