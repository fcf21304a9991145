package dev.r3map.linux.fuse;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Does all steps of a close, whichever of them fail, and then tells. */
final class Unwinding {
  private @Nullable Exception failure;

  /** One step. */
  interface Step {
    void run() throws Exception;
  }

  /** Does a step; a failure is kept for {@link #finish}. */
  void step(Step step) {
    try {
      step.run();
    } catch (Exception e) {
      if (failure == null) {
        failure = e;
      } else {
        failure.addSuppressed(e);
      }
    }
  }

  /** Throws what failed first, with the rest. */
  void finish(String message) throws IOException {
    if (failure != null) {
      throw new IOException(message + ": " + failure.getMessage(), failure);
    }
  }
}
