package dev.r3map.cli.args;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Times as people write them: {@code 20s}, {@code 150ms}, {@code 1.5m}, {@code 0}. */
public final class Durations {
  private static final Pattern DURATION = Pattern.compile("(\\d+(?:\\.\\d+)?) ?(us|ms|s|m|min|h)");

  private Durations() {}

  /**
   * @throws IllegalArgumentException if {@code text} is not a time, or not one of this century
   */
  public static Duration parse(String text) {
    String lower = text.strip().toLowerCase(java.util.Locale.ROOT);
    if (lower.equals("0")) {
      return Duration.ZERO;
    }
    Matcher duration = DURATION.matcher(lower);
    if (!duration.matches()) {
      throw new IllegalArgumentException(
          "bad time '%s': expected a number and a unit, such as 150ms, 20s, 2m or 1h"
              .formatted(text));
    }
    try {
      return Duration.ofNanos(
          new BigDecimal(duration.group(1))
              .multiply(BigDecimal.valueOf(nanos(duration.group(2))))
              .toBigInteger()
              .longValueExact());
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException("bad time '%s': too long".formatted(text), e);
    }
  }

  private static long nanos(String unit) {
    return switch (unit) {
      case "us" -> 1_000L;
      case "ms" -> 1_000_000L;
      case "s" -> 1_000_000_000L;
      case "h" -> 3600 * 1_000_000_000L;
      default -> 60 * 1_000_000_000L;
    };
  }
}
