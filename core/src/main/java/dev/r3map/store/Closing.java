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

  /**
   * Runs a close on a thread that may have been interrupted: that is often why it closes, and what
   * is dirty is to be pushed all the same. An interrupt from now on ends the waiting.
   */
  static void uninterrupted(Step close) throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      close.run();
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
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
