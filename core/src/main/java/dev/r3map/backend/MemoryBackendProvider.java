package dev.r3map.backend;

import dev.r3map.spi.BackendOptions;
import dev.r3map.spi.BackendProvider;
import java.io.IOException;
import java.net.URI;
import java.util.OptionalLong;
import java.util.Set;

/** Opens {@code memory:SIZE} and {@code memory:?size=SIZE}. */
public final class MemoryBackendProvider implements BackendProvider {
  private static final String SIZE = "?size=";

  /** For {@link java.util.ServiceLoader}. */
  public MemoryBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("memory");
  }

  @Override
  public Backend open(URI uri, BackendOptions options) throws IOException {
    return MemoryBackend.of(size(uri.getSchemeSpecificPart(), options.size()));
  }

  private static long size(String text, OptionalLong wanted) {
    String said = text.startsWith(SIZE) ? text.substring(SIZE.length()) : text;
    if (said.isEmpty() || said.equals("/") || said.equals("?")) {
      return wanted.orElseThrow(
          () -> new IllegalArgumentException("memory: needs a size, such as memory:1GiB"));
    }
    long size = Sizes.parse(said);
    if (wanted.isPresent() && wanted.getAsLong() != size) {
      throw new IllegalArgumentException(
          "memory: has two sizes: %d in the URI, %d beside it".formatted(size, wanted.getAsLong()));
    }
    return size;
  }
}
