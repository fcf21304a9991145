package dev.r3map.backend;

import dev.r3map.spi.BackendOptions;
import dev.r3map.spi.BackendProvider;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Set;

/** Opens {@code file:///path/to/file}, and so the plain paths that become such URIs. */
public final class FileBackendProvider implements BackendProvider {
  /** For {@link java.util.ServiceLoader}. */
  public FileBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("file");
  }

  @Override
  public Backend open(URI uri, BackendOptions options) throws IOException {
    Path path;
    try {
      path = Path.of(uri);
    } catch (IllegalArgumentException e) {
      // Its message says what is wrong and does not repeat the URI, which might hold a password.
      throw new IllegalArgumentException(
          "not the URI of a file (%s): expected file:///absolute/path, with %%3F for a question mark"
              .formatted(e.getMessage()));
    }
    return FileBackend.open(path, options);
  }
}
