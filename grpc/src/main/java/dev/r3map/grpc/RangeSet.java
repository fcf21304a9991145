package dev.r3map.grpc;

import java.util.Map;
import java.util.TreeMap;

/** Disjoint byte ranges; touching ones are one. Not safe for concurrent use. */
final class RangeSet {
  /** Start to end. */
  private final TreeMap<Long, Long> ranges = new TreeMap<>();

  void add(long start, long end) {
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

  void addAll(RangeSet other) {
    other.ranges.forEach(this::add);
  }

  void remove(long start, long end) {
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

  boolean isEmpty() {
    return ranges.isEmpty();
  }

  long bytes() {
    long sum = 0;
    for (Map.Entry<Long, Long> range : ranges.entrySet()) {
      sum += range.getValue() - range.getKey();
    }
    return sum;
  }
}
