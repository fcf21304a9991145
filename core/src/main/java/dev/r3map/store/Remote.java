package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import java.io.IOException;

/** What a backend says of itself when a region is opened. */
record Remote(long size, Geometry geometry, String identity) {

  /** Asks the backend, which may not be there yet. */
  static Remote describe(Backend backend, Retry retry) throws IOException {
    Remote[] answer = new Remote[1];
    retry.run(() ->
        answer[0] = new Remote(backend.size(), backend.geometry(), backend.identity().orElse("")));
    return answer[0];
  }
}
