package dev.r3map.grpc;

import dev.r3map.backend.Backend;
import dev.r3map.spi.BackendOptions;
import dev.r3map.spi.BackendProvider;
import java.io.IOException;
import java.net.URI;
import java.util.Set;

/**
 * Opens what a gRPC server serves, one of ours or of the Go r3map's:
 *
 * <ul>
 *   <li>{@code grpc://host[:port]}, plaintext: on this host, elsewhere only if the options say
 *       {@code insecure};
 *   <li>{@code grpcs://host[:port]}, TLS 1.3, mutual if the options have a certificate;
 *   <li>{@code grpc+unix:///path/of/socket}.
 * </ul>
 *
 * The port is 1337 if none is given. A Go server may not tell the size of its resource; then the
 * options must.
 */
public final class GrpcBackendProvider implements BackendProvider {

  /** For {@link java.util.ServiceLoader}. */
  public GrpcBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("grpc", "grpcs", "grpc+unix");
  }

  @Override
  public Backend open(URI uri, BackendOptions options) throws IOException {
    return GrpcBackend.open(Endpoint.of(uri, options), options);
  }
}
