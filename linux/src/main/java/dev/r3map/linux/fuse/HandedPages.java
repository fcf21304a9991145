package dev.r3map.linux.fuse;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Which bytes the kernel was ever given, in blocks of 4 KiB: only those can be in its page cache.
 *
 * <p>A reader marks before it looks at the bytes, and a writer asks after it changed them. So
 * either the writer finds the mark, or the reader sees the new bytes. Thread-safe without a lock;
 * takes memory only for what was marked.
 */
final class HandedPages {
  private static final int BLOCK_SHIFT = 12;
  private static final int WORD_SHIFT = 6;

  /** 128 MiB of the region in 4 KiB of memory. */
  private static final int LEAF_SHIFT = 9;

  /** Not more than this part of the heap for what is the same for every file of a size. */
  private static final int HEAP_SHARE = 4;

  private static final int LEAF_WORDS = 1 << LEAF_SHIFT;
  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

  private final AtomicReferenceArray<long[]> leaves;

  /**
   * @throws IOException if a file of that size is more than this heap can keep track of
   */
  HandedPages(long size) throws IOException {
    long leafBytes = 1L << (BLOCK_SHIFT + WORD_SHIFT + LEAF_SHIFT);
    long count = Math.ceilDiv(size, leafBytes);
    if (count > Runtime.getRuntime().maxMemory() / (HEAP_SHARE * Long.BYTES)) {
      throw new IOException(
          "a file of %d bytes is too large to be mounted by a JVM with this heap".formatted(size));
    }
    leaves = new AtomicReferenceArray<>(Math.toIntExact(count));
  }

  /** Marks every block that the range, which is not empty, touches. */
  void mark(long offset, long length) {
    long last = (offset + length - 1) >> BLOCK_SHIFT;
    for (long block = offset >> BLOCK_SHIFT; block <= last; ) {
      long wordEnd = block | (Long.SIZE - 1);
      long mask = mask(block, Math.min(last, wordEnd));
      long[] leaf = leaf(block);
      int word = wordIndex(block);
      if (((long) WORD.getVolatile(leaf, word) & mask) != mask) {
        WORD.getAndBitwiseOr(leaf, word, mask);
      }
      block = wordEnd + 1;
    }
  }

  /** Whether a block that the range, which is not empty, touches is marked. */
  boolean any(long offset, long length) {
    // What the caller changed must be seen by whoever marks after this has looked.
    VarHandle.fullFence();
    return run(offset, offset + length, false) < offset + length;
  }

  /**
   * Where a run of blocks of one kind ends.
   *
   * @param offset where it begins
   * @param limit where it ends at the latest
   * @param marked of which kind it is
   * @return {@code offset} itself if its block is of the other kind
   */
  long run(long offset, long limit, boolean marked) {
    long block = offset >> BLOCK_SHIFT;
    long end = ((limit - 1) >> BLOCK_SHIFT) + 1;
    while (block < end) {
      long[] leaf = leaves.get(leafIndex(block));
      long word = leaf == null ? 0 : (long) WORD.getVolatile(leaf, wordIndex(block));
      long others = (marked ? ~word : word) >>> (block & (Long.SIZE - 1));
      if (others != 0) {
        block += Long.numberOfTrailingZeros(others);
        break;
      }
      block = (block | (Long.SIZE - 1)) + 1;
    }
    return block >= end ? limit : Math.max(offset, block << BLOCK_SHIFT);
  }

  private long[] leaf(long block) {
    int index = leafIndex(block);
    long[] leaf = leaves.get(index);
    if (leaf == null) {
      leaves.compareAndSet(index, null, new long[LEAF_WORDS]);
      leaf = leaves.get(index);
    }
    return leaf;
  }

  private static int leafIndex(long block) {
    return (int) (block >> (WORD_SHIFT + LEAF_SHIFT));
  }

  private static int wordIndex(long block) {
    return (int) (block >> WORD_SHIFT) & (LEAF_WORDS - 1);
  }

  /** The bits of two blocks of one word and of all between. */
  private static long mask(long first, long last) {
    return (-1L << first) & (-1L >>> (Long.SIZE - 1 - last));
  }
}
