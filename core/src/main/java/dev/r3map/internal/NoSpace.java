package dev.r3map.internal;

import dev.r3map.backend.NoSpaceException;
import java.io.IOException;
import java.util.Locale;

/** Tells a full disk from other failures. The JDK has no type for it, only strerror(3)'s words. */
public final class NoSpace {
  private NoSpace() {}

  /** Whether that is what {@code e} means. */
  public static boolean isIn(IOException e) {
    String message = String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT);
    return e instanceof NoSpaceException
        || message.contains("no space left")
        || message.contains("quota exceeded")
        || message.contains("file too large");
  }

  /** {@code e}, or a {@link NoSpaceException} if that is what it means. */
  public static IOException in(IOException e, String what) {
    if (e instanceof NoSpaceException || !isIn(e)) {
      return e;
    }
    NoSpaceException full = new NoSpaceException("no space left for the " + what);
    full.initCause(e);
    return full;
  }
}
