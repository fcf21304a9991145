package dev.r3map.cli.copy;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import java.io.IOException;
import java.time.Duration;

/**
 * How much of a resource is data.
 *
 * @param scanned how many bytes from the beginning on this is about
 * @param data bytes that take space
 * @param holes bytes that read as zeros and take none
 */
public record Usage(long scanned, long data, long holes) {

  /** Asks a resource for as long as that takes, or as there is time. */
  public static Usage of(Backend backend, Duration time) throws IOException {
    long deadline = System.nanoTime() + time.toNanos();
    long size = backend.size();
    long data = 0;
    long holes = 0;
    while (data + holes < size && System.nanoTime() < deadline) {
      long at = data + holes;
      for (Extent extent : backend.extents(at, size - at)) {
        if (extent.hole()) {
          holes += extent.length();
        } else {
          data += extent.length();
        }
      }
      if (data + holes == at) {
        throw new IOException("%s does not say what is at offset %d".formatted(backend, at));
      }
    }
    return new Usage(data + holes, data, holes);
  }
}
