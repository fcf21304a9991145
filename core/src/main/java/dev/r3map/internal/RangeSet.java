package dev.r3map.internal;

import java.util.Map;
import java.util.TreeMap;

/** Disjoint byte ranges; touching ones are one. Not safe for concurrent use. */
public final class RangeSet {
  /** Start to end. */
  private final TreeMap<Long, Long> ranges = new TreeMap<>();

  public void add(long start, long end) {
    if (start >= end) {
      return;
    }
    long from = start;
    long to = end;
    Map.Entry<Long, Long> left = ranges.floorEntry(from);
    if (left != null && left.getValue() >= from) {
      if (left.getValue() >= to) {
        return;
      }
      from = left.getKey();
    }
    for (Map.Entry<Long, Long> next; (next = ranges.ceilingEntry(from)) != null; ) {
      if (next.getKey() > to) {
        break;
      }
      to = Math.max(to, next.getValue());
      ranges.remove(next.getKey());
    }
    ranges.put(from, to);
  }

  public void addAll(RangeSet other) {
    other.ranges.forEach(this::add);
  }

  public void remove(long start, long end) {
    if (start >= end) {
      return;
    }
    Map.Entry<Long, Long> left = ranges.lowerEntry(start);
    if (left != null && left.getValue() > start) {
      long leftEnd = left.getValue();
      ranges.put(left.getKey(), start);
      if (leftEnd > end) {
        ranges.put(end, leftEnd);
        return;
      }
    }
    for (Map.Entry<Long, Long> next; (next = ranges.ceilingEntry(start)) != null; ) {
      if (next.getKey() >= end) {
        return;
      }
      ranges.remove(next.getKey());
      if (next.getValue() > end) {
        ranges.put(end, next.getValue());
        return;
      }
    }
  }

  public boolean isEmpty() {
    return ranges.isEmpty();
  }

  /** Whether any byte from {@code start} to {@code end} is in one of them. */
  public boolean overlaps(long start, long end) {
    Map.Entry<Long, Long> left = ranges.lowerEntry(end);
    return left != null && left.getValue() > start;
  }

  /** How many ranges there are. */
  public int count() {
    return ranges.size();
  }

  public long bytes() {
    long sum = 0;
    for (Map.Entry<Long, Long> range : ranges.entrySet()) {
      sum += range.getValue() - range.getKey();
    }
    return sum;
  }
}
