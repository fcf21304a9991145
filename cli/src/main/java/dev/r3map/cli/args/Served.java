package dev.r3map.cli.args;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A resource to be served, and the name that clients may ask for.
 *
 * @param given the name, if the user gave one
 */
public record Served(Optional<String> given, Resource resource) {
  /** A path or a URI that begins like this is written as ./NAME=... */
  private static final Pattern NAMED = Pattern.compile("([A-Za-z0-9][A-Za-z0-9 ._-]*)=(.+)");

  /** What clients ask for. */
  public String name() {
    return given.orElseGet(resource::fileName);
  }

  /** Reads {@code [NAME=]RESOURCE}. */
  public static final class Converter implements ITypeConverter<Served> {
    @Override
    public Served convert(String value) {
      Matcher named = NAMED.matcher(value);
      try {
        return named.matches()
            ? new Served(Optional.of(named.group(1)), Resource.parse(named.group(2)))
            : new Served(Optional.empty(), Resource.parse(value));
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
