package dev.r3map.store;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.LongBinaryOperator;

/**
 * An atomic bitmap, one bit for each block or chunk. Ranges are {@code [from, to)}. A call on a
 * range is atomic for each word of 64 bits, not for the range; the cardinality is exact.
 */
final class BlockSet {
  private static final LongBinaryOperator OR = (a, b) -> a | b;
  private static final LongBinaryOperator AND_NOT = (a, b) -> a & ~b;

  private final long length;
  private final AtomicLongArray words;
  private final AtomicLong cardinality = new AtomicLong();

  BlockSet(long length) {
    this.length = length;
    this.words = new AtomicLongArray(Math.toIntExact((length + 63) >>> 6));
  }

  long length() {
    return length;
  }

  /** How many bits are set. */
  long cardinality() {
    return cardinality.get();
  }

  /** An equal set of its own. */
  BlockSet copy() {
    BlockSet copy = new BlockSet(length);
    copy.setAll(snapshot());
    return copy;
  }

  private Bits snapshot() {
    Bits all = new Bits(0, length);
    for (int i = 0; i < all.words.length; i++) {
      all.words[i] = words.get(i);
    }
    return all;
  }

  boolean get(long index) {
    return (words.get((int) (index >>> 6)) & (1L << index)) != 0;
  }

  /** Sets a bit; true if it was clear. */
  boolean set(long index) {
    return set(index, index + 1) == 1;
  }

  /** Sets a range and returns how many bits were clear. */
  long set(long from, long to) {
    long changed = 0;
    for (long at = from; at < to; at = (at | 63) + 1) {
      long mask = mask(at, to);
      changed += Long.bitCount(mask & ~words.getAndAccumulate((int) (at >>> 6), mask, OR));
    }
    cardinality.addAndGet(changed);
    return changed;
  }

  /** Clears a range and returns how many bits were set. */
  long clear(long from, long to) {
    long changed = 0;
    for (long at = from; at < to; at = (at | 63) + 1) {
      long mask = mask(at, to);
      changed += Long.bitCount(mask & words.getAndAccumulate((int) (at >>> 6), mask, AND_NOT));
    }
    cardinality.addAndGet(-changed);
    return changed;
  }

  /** Takes the set bits of a range out of this set: clears them and returns them. */
  Bits drain(long from, long to) {
    Bits taken = new Bits(from, to);
    long changed = 0;
    for (long at = from; at < to; at = (at | 63) + 1) {
      long mask = mask(at, to);
      long bits = words.getAndAccumulate((int) (at >>> 6), mask, AND_NOT) & mask;
      taken.words[taken.word(at)] = bits;
      changed += Long.bitCount(bits);
    }
    cardinality.addAndGet(-changed);
    return taken;
  }

  /** Those of {@code bits} that are clear here. */
  Bits clearOf(Bits bits) {
    Bits result = new Bits(bits.from, bits.to);
    for (long at = bits.from; at < bits.to; at = (at | 63) + 1) {
      int word = bits.word(at);
      result.words[word] = bits.words[word] & ~words.get((int) (at >>> 6));
    }
    return result;
  }

  /** Sets every bit that {@code bits} holds. */
  void setAll(Bits bits) {
    long changed = 0;
    for (long at = bits.from; at < bits.to; at = (at | 63) + 1) {
      long mask = bits.words[bits.word(at)];
      if (mask != 0) {
        changed += Long.bitCount(mask & ~words.getAndAccumulate((int) (at >>> 6), mask, OR));
      }
    }
    cardinality.addAndGet(changed);
  }

  boolean allSet(long from, long to) {
    for (long at = from; at < to; at = (at | 63) + 1) {
      long mask = mask(at, to);
      if ((words.get((int) (at >>> 6)) & mask) != mask) {
        return false;
      }
    }
    return true;
  }

  boolean noneSet(long from, long to) {
    return nextSet(from, to) == to;
  }

  /** The first set bit at or after {@code from}, or {@code to} if there is none before it. */
  long nextSet(long from, long to) {
    return next(from, to, 0);
  }

  /** The first clear bit at or after {@code from}, or {@code to} if there is none before it. */
  long nextClear(long from, long to) {
    return next(from, to, -1);
  }

  private long next(long from, long to, long flip) {
    for (long at = from; at < to; at = (at | 63) + 1) {
      long bits = (words.get((int) (at >>> 6)) ^ flip) & mask(at, to);
      if (bits != 0) {
        return (at & ~63L) + Long.numberOfTrailingZeros(bits);
      }
    }
    return to;
  }

  /** The bits of {@code at}'s word that lie in {@code [at, to)}. */
  private static long mask(long at, long to) {
    long left = to - (at & ~63L);
    long upTo = left >= 64 ? -1L : (1L << left) - 1;
    return upTo & (-1L << at);
  }

  /** Bits taken out of a set: a plain copy of a range, for one thread. */
  static final class Bits {
    private final long from;
    private final long to;
    private final long[] words;

    private Bits(long from, long to) {
      this.from = from;
      this.to = to;
      this.words = new long[from == to ? 0 : word(to - 1) + 1];
    }

    private int word(long index) {
      return (int) ((index >>> 6) - (from >>> 6));
    }

    boolean isEmpty() {
      for (long word : words) {
        if (word != 0) {
          return false;
        }
      }
      return true;
    }

    boolean isSameAs(Bits other) {
      return Arrays.equals(words, other.words);
    }

    boolean get(long index) {
      return index >= from && index < to && (words[word(index)] & (1L << index)) != 0;
    }

    /** The first index at or after {@code at} that is (not) in this set, or {@code to}. */
    long next(long at, boolean member) {
      long index = Math.max(at, from);
      while (index < to && get(index) != member) {
        index++;
      }
      return index;
    }

    long to() {
      return to;
    }
  }
}
