package dev.r3map.spi;

import dev.r3map.backend.Backend;
import java.io.IOException;
import java.net.URI;
import java.util.Set;

/** Opens backends for some URI schemes; found by {@link java.util.ServiceLoader}. */
public interface BackendProvider {

  /** The schemes this provider opens, in lower case, such as {@code file}. */
  Set<String> schemes();

  /**
   * Opens the resource that {@code uri} names. No credential of the URI may appear in an exception.
   *
   * @throws IllegalArgumentException if the URI is not one of this scheme's, saying what is
   *     expected
   * @throws IOException if the resource cannot be opened
   */
  Backend open(URI uri, BackendOptions options) throws IOException;
}
