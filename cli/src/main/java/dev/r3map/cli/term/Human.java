package dev.r3map.cli.term;

import java.time.Duration;
import java.util.Locale;

/** Figures for people: three digits, with a unit. For exact sizes there is {@code Sizes}. */
public final class Human {
  private static final String UNITS = "KMGTPE";

  private Human() {}

  /** Such as {@code 12.3 MiB}. */
  public static String bytes(long bytes) {
    return scaled((double) bytes);
  }

  private static String scaled(double bytes) {
    if (bytes < 1024) {
      return "%d B".formatted(Math.round(bytes));
    }
    double value = bytes;
    int unit = -1;
    while (value >= 1023.5 && unit < UNITS.length() - 1) {
      value /= 1024;
      unit++;
    }
    return "%s %siB".formatted(threeDigits(value), UNITS.charAt(unit));
  }

  /** Bytes in a time, such as {@code 12.3 MiB/s}. */
  public static String rate(long bytes, Duration time) {
    return rate(bytes / Math.max(1e-9, time.toNanos() / 1e9));
  }

  /** Such as {@code 12.3 MiB/s}. */
  public static String rate(double bytesPerSecond) {
    return scaled(bytesPerSecond) + "/s";
  }

  /** Such as {@code 1.23 ms}, {@code 12.3 s} and {@code 2 h 05 min}. */
  public static String duration(Duration time) {
    double seconds = time.toNanos() / 1e9;
    if (seconds < 0.9995) {
      return threeDigits(seconds * 1000) + " ms";
    }
    if (seconds < 59.95) {
      return threeDigits(seconds) + " s";
    }
    long whole = Math.round(seconds);
    return whole < 3600
        ? "%d min %02d s".formatted(whole / 60, whole % 60)
        : "%d h %02d min".formatted(whole / 3600, whole % 3600 / 60);
  }

  private static String threeDigits(double value) {
    String format = value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f";
    String digits = String.format(Locale.ROOT, format, value);
    return digits.contains(".") ? digits.replaceFirst("\\.?0+$", "") : digits;
  }
}
