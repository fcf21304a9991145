package dev.r3map.testkit;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.Ranges;
import dev.r3map.testkit.BackendCall.Kind;
import java.io.IOException;
import java.util.Set;

/** A backend that insists on its geometry: the kit keeps to it. */
class GeometryConformanceTest extends BackendConformance {
  private static final Geometry GEOMETRY = new Geometry(4096, 16 << 10, 64 << 10, false);
  private static final Set<Kind> WITHOUT_RANGE = Set.of(Kind.SYNC, Kind.IDENTITY, Kind.CLOSE);

  @Override
  protected Backend create(long size) throws IOException {
    return new ForwardingBackend(MemoryBackend.of(size)) {
      @Override
      public Geometry geometry() {
        return GEOMETRY;
      }

      @Override
      protected <T> T around(BackendCall call, Step<T> step) throws IOException {
        if (!WITHOUT_RANGE.contains(call.kind())) {
          Ranges.check(call.offset(), call.length(), size());
          requireGeometry(call, size());
        }
        return step.run();
      }
    };
  }

  private static void requireGeometry(BackendCall call, long size) {
    long end = call.offset() + call.length();
    int chunk = GEOMETRY.requiredChunk();
    boolean transfer = call.kind() == Kind.READ || call.kind() == Kind.WRITE;
    if ((call.offset() % chunk != 0 && call.offset() != size)
        || (end % chunk != 0 && end != size)
        || (transfer && call.length() > GEOMETRY.maxTransfer())) {
      throw new IllegalArgumentException("not within the geometry: " + call);
    }
  }
}
