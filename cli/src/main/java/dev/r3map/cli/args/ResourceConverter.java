package dev.r3map.cli.args;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Resources as {@link Resource} reads them. */
public final class ResourceConverter implements ITypeConverter<Resource> {
  @Override
  public Resource convert(String value) {
    try {
      return Resource.parse(value);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }
}
