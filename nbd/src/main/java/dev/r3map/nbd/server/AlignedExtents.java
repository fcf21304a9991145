package dev.r3map.nbd.server;

import dev.r3map.backend.Extent;
import java.util.ArrayList;
import java.util.List;

/**
 * Puts runs together that follow each other: those of one kind become one, and where a border is
 * not aligned, the block that it cuts is data.
 */
final class AlignedExtents {
  private final long mask;
  private final long limit;
  private final List<Extent> done = new ArrayList<>();

  /** The run that may yet grow. */
  private long start;

  private long end;
  private boolean hole;

  /**
   * @param alignment a power of two
   * @param from aligned
   * @param limit no run goes beyond; the end of it all need not be aligned
   */
  AlignedExtents(int alignment, long from, long limit) {
    this.mask = alignment - 1L;
    this.limit = limit;
    this.start = from;
    this.end = from;
  }

  /** The first byte after what was added. */
  long end() {
    return end;
  }

  /** Whether there is more to come, and fewer than so many runs are finished. */
  boolean wants(int count) {
    return end < limit && done.size() < count;
  }

  /** The next run; begins where the one before ended. */
  void add(Extent run) {
    long runEnd = Math.min(run.end(), limit);
    if (end == start) {
      hole = run.hole();
    } else if (run.hole() != hole) {
      turn(run.hole());
    }
    end = Math.max(end, runEnd);
  }

  /** Ends the current run at an aligned border, in favour of data. */
  private void turn(boolean toHole) {
    long border = toHole ? end + mask & ~mask : end & ~mask;
    border = Math.min(border, limit);
    if (border > start) {
      done.add(new Extent(start, border - start, hole));
      start = border;
    }
    hole = toHole;
  }

  /** The first runs, as many as there are or as are wanted; none is empty. */
  List<Extent> list(int most) {
    List<Extent> all = new ArrayList<>(done);
    if (end > start) {
      all.add(new Extent(start, end - start, hole));
    }
    return all.size() > most ? List.copyOf(all.subList(0, most)) : all;
  }
}
