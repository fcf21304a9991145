package dev.r3map.cli.args;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A part of the whole in percent, {@code 5}, {@code 12.5} or {@code 100%}, as a number to 1. */
public final class FractionConverter implements ITypeConverter<Double> {
  @Override
  public Double convert(String value) {
    try {
      double percent = Double.parseDouble(value.strip().replaceFirst(" ?%$", ""));
      if (percent >= 0 && percent <= 100) {
        return percent / 100;
      }
    } catch (NumberFormatException e) {
      throw bad(value);
    }
    throw bad(value);
  }

  private static TypeConversionException bad(String value) {
    return new TypeConversionException(
        "bad percentage '%s': expected a number from 0 to 100".formatted(value));
  }
}
