package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import java.io.IOException;
import java.time.Duration;

/** What a backend says of itself when a region is opened. */
record Remote(long size, Geometry geometry, String identity) {

  /** Asks the backend, which may not be there yet, or hang. */
  static Remote describe(Backend backend, Duration timeout, Retry retry) throws IOException {
    Remote[] answer = new Remote[1];
    retry.run(() ->
        answer[0] =
            TimedCall.within(
                timeout,
                backend,
                () ->
                    new Remote(backend.size(), backend.geometry(), backend.identity().orElse(""))));
    return answer[0];
  }
}
