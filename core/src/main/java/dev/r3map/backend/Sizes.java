package dev.r3map.backend;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Sizes as people write them: {@code 4096}, {@code 4KiB}, {@code 1.5G}. Units are powers of 1024.
 */
public final class Sizes {
  private static final String UNITS = "KMGTPE";
  private static final Pattern SIZE =
      Pattern.compile("(\\d+(?:\\.\\d+)?) ?(?:([" + UNITS + "])(?:IB)?|B)?");

  /** Powers of 1000 to some and of 1024 to others, so they are refused. */
  private static final Pattern AMBIGUOUS = Pattern.compile("\\d.*([" + UNITS + "])B");

  private Sizes() {}

  /**
   * The number of bytes that {@code text} says. The unit is one of B, KiB, MiB, GiB, TiB, PiB, EiB
   * or just the letter K, M, G, T, P, E, in any case; bytes if there is none.
   *
   * @throws IllegalArgumentException if it is not a size, or not a whole number of bytes, or more
   *     than {@link Long#MAX_VALUE}
   */
  public static long parse(String text) {
    String upper = text.strip().toUpperCase(Locale.ROOT);
    Matcher size = SIZE.matcher(upper);
    if (!size.matches()) {
      Matcher ambiguous = AMBIGUOUS.matcher(upper);
      if (ambiguous.matches()) {
        String unit = ambiguous.group(1);
        throw new IllegalArgumentException(
            "bad size '%s': write %siB for powers of 1024".formatted(text, unit));
      }
      throw new IllegalArgumentException(
          "bad size '%s': expected a number and a unit, such as 4096, 256KiB or 1GiB"
              .formatted(text));
    }
    int power = size.group(2) == null ? 0 : UNITS.indexOf(size.group(2)) + 1;
    try {
      return new BigDecimal(size.group(1))
          .multiply(BigDecimal.valueOf(1L << (10 * power)))
          .longValueExact();
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "bad size '%s': not a whole number of bytes below 8EiB".formatted(text), e);
    }
  }

  /** The shortest exact form: {@code 256KiB}, {@code 1GiB}, {@code 4097}. */
  public static String format(long size) {
    int power = size == 0 ? 0 : Math.min(Long.numberOfTrailingZeros(size) / 10, UNITS.length());
    return power == 0
        ? Long.toString(size)
        : "%d%siB".formatted(size >> (10 * power), UNITS.charAt(power - 1));
  }
}
