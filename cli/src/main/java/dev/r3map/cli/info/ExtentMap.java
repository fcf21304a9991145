package dev.r3map.cli.info;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.cli.term.JsonObject;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * All of a resource, run after run.
 *
 * @param runs neighbours are of different kinds
 */
public record ExtentMap(List<Extent> runs) {

  /** Asks for it. */
  public static ExtentMap of(Backend backend) throws IOException {
    List<Extent> runs = new ArrayList<>();
    long size = backend.size();
    for (long at = 0; at < size; ) {
      long before = at;
      for (Extent extent : backend.extents(at, size - at)) {
        append(runs, extent);
        at = extent.end();
      }
      if (at == before) {
        throw new IOException("%s does not say what is at offset %d".formatted(backend, at));
      }
    }
    return new ExtentMap(runs);
  }

  private static void append(List<Extent> runs, Extent extent) {
    if (runs.isEmpty() || runs.getLast().hole() != extent.hole()) {
      runs.add(extent);
    } else {
      Extent last = runs.removeLast();
      runs.add(new Extent(last.offset(), last.length() + extent.length(), last.hole()));
    }
  }

  /** A line for each run: offset, length, kind. */
  public String text() {
    StringBuilder text = new StringBuilder();
    for (Extent run : runs) {
      text.append("%16d %16d  %s%n".formatted(run.offset(), run.length(), kind(run)));
    }
    return text.toString().stripTrailing();
  }

  public List<JsonObject> json() {
    return runs.stream()
        .map(run ->
            new JsonObject()
                .with("offset", run.offset())
                .with("length", run.length())
                .with("kind", kind(run)))
        .toList();
  }

  private static String kind(Extent run) {
    return run.hole() ? "hole" : "data";
  }
}
