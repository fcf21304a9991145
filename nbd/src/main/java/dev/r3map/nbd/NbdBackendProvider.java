package dev.r3map.nbd;

import dev.r3map.backend.Backend;
import dev.r3map.spi.BackendOptions;
import dev.r3map.spi.BackendProvider;
import java.io.IOException;
import java.net.URI;
import java.util.Set;

/**
 * Opens exports of NBD servers:
 *
 * <ul>
 *   <li>{@code nbd://host[:port]/export}, plaintext: on this host, elsewhere only if the options
 *       say {@code insecure};
 *   <li>{@code nbds://host[:port]/export}, TLS;
 *   <li>{@code nbd+unix:///export?socket=PATH} and {@code nbds+unix:}.
 * </ul>
 *
 * The port is 10809 if none is given. Everything after the first slash is the export's name.
 */
public final class NbdBackendProvider implements BackendProvider {

  /** For {@link java.util.ServiceLoader}. */
  public NbdBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("nbd", "nbds", "nbd+unix", "nbds+unix");
  }

  @Override
  public Backend open(URI uri, BackendOptions options) throws IOException {
    return NbdBackend.at(uri).options(options).open();
  }
}
