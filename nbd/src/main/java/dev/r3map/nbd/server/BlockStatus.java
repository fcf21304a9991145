package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.DEPTH_BACKING;
import static dev.r3map.nbd.protocol.Transmission.DEPTH_LOCAL;
import static dev.r3map.nbd.protocol.Transmission.STATE_DIRTY;
import static dev.r3map.nbd.protocol.Transmission.STATE_HOLE;
import static dev.r3map.nbd.protocol.Transmission.STATE_ZERO;

import dev.r3map.backend.Extent;
import dev.r3map.spi.FrontendRegion;
import dev.r3map.spi.LocalView.RunVisitor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Tells what is known of the bytes of an export: runs of one state, in order and without gaps. */
final class BlockStatus {
  /** Enough for one answer to be worth its round trip. */
  private static final int MAX_RUNS = 4096;

  /** What is looked at at once: it may be in many pieces, and nobody wants all of them. */
  static final long WINDOW = 1 << 30;

  private final Export export;

  BlockStatus(Export export) {
    this.export = export;
  }

  /**
   * Tells of a beginning of a range at least.
   *
   * @param one whether one run is enough
   */
  List<Descriptor> of(MetaContext context, long offset, long length, boolean one)
      throws IOException {
    int most = one ? 1 : MAX_RUNS;
    return switch (context) {
      case ALLOCATION -> allocation(offset, length, most);
      case DIRTY -> runs(offset, length, most, region()::dirtyRuns, STATE_DIRTY, 0);
      case DEPTH -> runs(offset, length, most, region()::localRuns, DEPTH_LOCAL, DEPTH_BACKING);
    };
  }

  private FrontendRegion region() {
    return Objects.requireNonNull(export.region());
  }

  private List<Descriptor> allocation(long offset, long length, int most) throws IOException {
    long end = offset + length;
    AlignedExtents found = new AlignedExtents(export.minimum(), offset, end);
    while (found.wants(most)) {
      long before = found.end();
      List<Extent> more = export.backend().extents(before, end - before);
      more.forEach(found::add);
      if (found.end() == before) {
        throw new IOException("%s does not tell its extents".formatted(export.backend()));
      }
    }
    return found.list(most).stream()
        .map(run -> new Descriptor(run.length(), run.hole() ? STATE_HOLE | STATE_ZERO : 0))
        .toList();
  }

  private static List<Descriptor> runs(
      long offset, long length, int most, Source source, int state, int otherState) {
    long end = offset + length;
    List<Descriptor> found = new ArrayList<>();
    // The last one may go on.
    for (long at = offset; at < end && found.size() <= most; at += WINDOW) {
      source.visit(
          at,
          Math.min(WINDOW, end - at),
          (_, run, is) -> append(found, run, is ? state : otherState));
    }
    return found.size() > most ? found.subList(0, most) : found;
  }

  private static void append(List<Descriptor> runs, long length, int state) {
    long before = 0;
    if (!runs.isEmpty() && runs.getLast().state() == state) {
      before = runs.removeLast().length();
    }
    runs.add(new Descriptor(before + length, state));
  }

  private interface Source {
    void visit(long offset, long length, RunVisitor visitor);
  }
}
