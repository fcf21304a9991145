package dev.r3map;

import dev.r3map.backend.Backend;
import dev.r3map.spi.BackendOptions;
import dev.r3map.spi.BackendProvider;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.ServiceLoader;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Opens backends by the scheme of their URI. */
public final class Backends {
  /** RFC 3986, 3.1, two letters at least so that no path looks like one. */
  private static final Pattern SCHEME = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]+:.*");

  private Backends() {}

  /** {@link #open(URI, BackendOptions)} with the defaults. */
  public static Backend open(URI uri) throws IOException {
    return open(uri, BackendOptions.DEFAULT);
  }

  /**
   * Opens the resource that {@code uri} names.
   *
   * @throws IllegalArgumentException if no provider knows the scheme or the URI is malformed
   * @throws IOException if the resource cannot be opened
   */
  public static Backend open(URI uri, BackendOptions options) throws IOException {
    String scheme = uri.getScheme();
    if (scheme == null) {
      throw new IllegalArgumentException("a resource needs a scheme, such as file: or grpc:");
    }
    TreeSet<String> known = new TreeSet<>();
    for (BackendProvider provider : ServiceLoader.load(BackendProvider.class)) {
      if (provider.schemes().contains(scheme.toLowerCase(Locale.ROOT))) {
        return provider.open(uri, options);
      }
      known.addAll(provider.schemes());
    }
    throw new IllegalArgumentException(
        "unknown kind of resource '%s:' (known here: %s)"
            .formatted(scheme, String.join(", ", known)));
  }

  /** A resource as users write it: a URI, or the plain path of a file. */
  public static URI parse(String resource) {
    if (!SCHEME.matcher(resource).matches()) {
      return Path.of(resource).toAbsolutePath().normalize().toUri();
    }
    try {
      return new URI(resource);
    } catch (URISyntaxException e) {
      // The message of the cause would repeat the whole URI, with a password if there is one.
      throw new IllegalArgumentException(
          "malformed resource URI: %s at index %d".formatted(e.getReason(), e.getIndex()));
    }
  }
}
