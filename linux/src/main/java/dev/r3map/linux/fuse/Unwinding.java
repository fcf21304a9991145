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

  /** Does a step; a failure is kept for {@link #finish}, and the answer is false. */
  boolean step(Step step) {
    try {
      step.run();
      return true;
    } catch (Exception e) {
      if (failure == null) {
        failure = e;
      } else {
        failure.addSuppressed(e);
      }
      return false;
    }
  }

  /** Throws what failed first, with the rest. */
  void finish(String message) throws IOException {
    if (failure != null) {
      throw new IOException(message + ": " + failure.getMessage(), failure);
    }
  }
}
