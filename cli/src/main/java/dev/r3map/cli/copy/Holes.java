package dev.r3map.cli.copy;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import java.io.IOException;
import java.util.List;

/**
 * Where a resource has holes, asked for as one goes along it from its beginning to its end. Not
 * thread-safe.
 */
final class Holes {
  private final Backend backend;
  private final long size;
  private final Retrying retrying;

  /** What was answered last; the offsets asked for never go back, so the rest is forgotten. */
  private List<Extent> known = List.of();

  private int next;

  /** Where the hole ends that was found last. */
  private long foundEnd;

  Holes(Backend backend, Retrying retrying) throws IOException {
    this.backend = backend;
    this.size = backend.size();
    this.retrying = retrying;
  }

  /**
   * Where the hole at {@code offset} ends; {@code offset} itself if there is none.
   *
   * @param offset not less than in any call before
   */
  long endOfHole(long offset) throws IOException {
    if (offset >= foundEnd) {
      foundEnd = offset;
      while (foundEnd < size) {
        Extent extent = extentAt(foundEnd);
        if (!extent.hole()) {
          break;
        }
        foundEnd = extent.end();
      }
    }
    return foundEnd;
  }

  private Extent extentAt(long offset) throws IOException {
    while (true) {
      while (next < known.size()) {
        Extent extent = known.get(next);
        if (offset < extent.end()) {
          return extent;
        }
        next++;
      }
      try {
        known = retrying.run(() -> backend.extents(offset, size - offset));
      } catch (IOException e) {
        throw Retrying.at(offset, e);
      }
      next = 0;
      if (known.isEmpty() || known.getLast().end() <= offset) {
        throw new IOException("%s does not say what is at offset %d".formatted(backend, offset));
      }
    }
  }
}
