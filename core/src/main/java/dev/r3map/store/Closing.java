package dev.r3map.store;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Goes through with a close although a step of it fails, and keeps every failure. */
final class Closing {
  private @Nullable IOException failure;

  /** A step of a close. */
  interface Step {
    void run() throws IOException;
  }

  Closing step(Step step) {
    try {
      step.run();
    } catch (IOException e) {
      failure = add(failure, e);
    } catch (RuntimeException | Error e) {
      failure = add(failure, new IOException(e));
    }
    return this;
  }

  void end() throws IOException {
    if (failure != null) {
      throw failure;
    }
  }

  static IOException add(@Nullable IOException first, IOException next) {
    if (first == null) {
      return next;
    }
    first.addSuppressed(next);
    return first;
  }
}
