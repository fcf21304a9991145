package dev.r3map.cli.args;

import dev.r3map.grpc.GrpcServer;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Where a server listens, and to whom it talks. */
public final class ListenerOptions {
  private static final int DEFAULT_PORT = 1337;

  @Option(
      names = "--listen",
      paramLabel = "ADDRESS",
      defaultValue = "grpc://127.0.0.1:1337",
      description = {
        "Where: grpc://HOST:PORT (plaintext), grpcs://HOST:PORT (TLS) or grpc+unix:///SOCKET.",
        "Port 0 is any free one. Default: ${DEFAULT-VALUE}."
      })
  private String address = "grpc://127.0.0.1:1337";

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description = {
        "Holds the bearer token that clients must have.",
        "Without it, the variable R3MAP_TOKEN is used; without both, none is asked for."
      })
  private @Nullable Path tokenFile;

  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      description = "PEM certificate chain of this server.")
  private @Nullable Path certificate;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      description = "PEM key (PKCS #8) of that certificate.")
  private @Nullable Path key;

  @Option(
      names = "--tls-client-ca",
      paramLabel = "FILE",
      description = "Only clients with a certificate that these PEM certificates have signed.")
  private @Nullable Path clientCa;

  @Option(names = "--insecure", description = "Offer plaintext (grpc://) also beyond this host.")
  private boolean insecure;

  /**
   * Tells a server all of this.
   *
   * @throws IllegalArgumentException if an option is malformed or does not fit another one
   */
  public GrpcServer.Builder applyTo(GrpcServer.Builder server) throws IOException {
    URI where = parse();
    String scheme = Optional.ofNullable(where.getScheme()).orElse("").toLowerCase(Locale.ROOT);
    switch (scheme) {
      case "grpc" -> {
        if (certificate != null || key != null || clientCa != null) {
          throw new IllegalArgumentException("TLS needs --listen grpcs://HOST:PORT");
        }
        listen(server, where);
      }
      case "grpcs" -> {
        if (certificate == null || key == null) {
          throw new IllegalArgumentException("grpcs:// needs --tls-cert and --tls-key");
        }
        server.tls(certificate, key);
        listen(server, where);
      }
      case "grpc+unix" -> server.listen(socket(where));
      default ->
          throw new IllegalArgumentException(
              "cannot listen on '%s': expected grpc://, grpcs:// or grpc+unix://"
                  .formatted(address));
    }
    if (clientCa != null) {
      server.clientCa(clientCa);
    }
    Tokens.from(tokenFile).ifPresent(server::token);
    return server.insecure(insecure);
  }

  private URI parse() {
    try {
      return new URI(address);
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException("malformed address to listen on: " + e.getReason(), e);
    }
  }

  private void listen(GrpcServer.Builder server, URI where) {
    String host = where.getHost();
    if (host == null || where.getRawUserInfo() != null) {
      throw new IllegalArgumentException(
          "cannot listen on '%s': expected %s://HOST:PORT".formatted(address, where.getScheme()));
    }
    String bare = host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
    server.listen(bare, where.getPort() < 0 ? DEFAULT_PORT : where.getPort());
  }

  private static Path socket(URI where) {
    String path = where.getPath();
    if (path == null || !path.startsWith("/") || where.getRawAuthority() != null) {
      throw new IllegalArgumentException("expected grpc+unix:///path/of/socket");
    }
    return Path.of(path);
  }
}
