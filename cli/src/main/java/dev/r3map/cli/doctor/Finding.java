package dev.r3map.cli.doctor;

import java.util.Locale;

/**
 * What a check has found.
 *
 * @param name of what was looked at
 * @param text what that means, and what to do about it
 * @param needed whether nothing can be mounted without it
 */
public record Finding(String name, Result result, String text, boolean needed) {

  /** How well something works. */
  public enum Result {
    WORKS,
    LIMITED,
    MISSING;

    /** For machines. */
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  static Finding works(String name, String text) {
    return new Finding(name, Result.WORKS, text, false);
  }

  static Finding limited(String name, String text) {
    return new Finding(name, Result.LIMITED, text, false);
  }

  static Finding missing(String name, String text) {
    return new Finding(name, Result.MISSING, text, false);
  }

  /** Without this nothing can be mounted. */
  Finding asNeeded() {
    return new Finding(name, result, text, true);
  }

  public boolean isFatal() {
    return needed && result == Result.MISSING;
  }
}
