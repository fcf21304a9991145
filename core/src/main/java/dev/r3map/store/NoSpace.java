package dev.r3map.store;

import dev.r3map.backend.NoSpaceException;
import java.io.IOException;
import java.util.Locale;

/** Tells a full disk from other failures. The JDK has no type for it, only strerror(3)'s words. */
final class NoSpace {
  private NoSpace() {}

  /** {@code e}, or a {@link NoSpaceException} if that is what it means. */
  static IOException in(IOException e, String what) {
    String message = String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT);
    if (!(e instanceof NoSpaceException)
        && (message.contains("no space left") || message.contains("quota exceeded"))) {
      NoSpaceException full = new NoSpaceException("no space left for the " + what);
      full.initCause(e);
      return full;
    }
    return e;
  }
}
