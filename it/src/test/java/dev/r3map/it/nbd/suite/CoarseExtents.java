package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Where there is data at all, a whole page is data. */
final class CoarseExtents extends ForwardingBackend {
  private final Backend fine;
  private final int page;

  CoarseExtents(Backend fine, int page) {
    super(fine);
    this.fine = fine;
    this.page = page;
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    long end = offset + length;
    List<Extent> coarse = new ArrayList<>();
    long at = offset;
    while (at < end && coarse.size() < 1024) {
      long dataAt = nextData(at & -page);
      long holeEnd = Math.min(end, Math.max(at, dataAt & -page));
      if (holeEnd > at) {
        coarse.add(Extent.hole(at, holeEnd - at));
        at = holeEnd;
      } else {
        long to = Math.min(end, (at & -page) + page);
        coarse.add(Extent.data(at, to - at));
        at = to;
      }
    }
    return coarse;
  }

  /** The size if none follows. */
  private long nextData(long from) throws IOException {
    long at = from;
    while (at < fine.size()) {
      for (Extent extent : fine.extents(at, fine.size() - at)) {
        if (!extent.hole()) {
          return extent.offset();
        }
        at = extent.end();
      }
    }
    return fine.size();
  }
}
