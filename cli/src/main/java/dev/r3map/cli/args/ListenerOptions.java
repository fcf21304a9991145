package dev.r3map.cli.args;

import dev.r3map.grpc.GrpcServer;
import dev.r3map.nbd.NbdServer;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Where a server listens, and to whom it talks. */
public final class ListenerOptions {
  private static final int GRPC_PORT = 1337;
  private static final String DEFAULT = "grpc://127.0.0.1:" + GRPC_PORT;

  @Option(
      names = "--listen",
      paramLabel = "ADDRESS",
      description = {
        "Where, and what is spoken: grpc://HOST:PORT (plaintext), grpcs://HOST:PORT (TLS),"
            + " grpc+unix:///SOCKET, nbd://HOST:PORT, nbds://HOST:PORT, nbd+unix:///SOCKET or"
            + " nbds+unix:///SOCKET.",
        "Port 0 is any free one. Default: "
            + DEFAULT
            + ", or NBD on the socket that was handed"
            + " over if somebody else listens, such as systemd."
      })
  private @Nullable String address;

  @Option(
      names = "--stdio",
      description = {
        "Speak NBD with one client, whose socket is standard input, until it leaves.",
        "There, and on a socket that was handed over, TLS is required if it is offered."
      })
  private boolean stdio;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description = {
        "Holds the bearer token that clients must have.",
        "Without it, the variable R3MAP_TOKEN is used; without both, none is asked for.",
        "NBD has no tokens: there the variable is for what is served, if that is behind gRPC."
      })
  private @Nullable Path tokenFile;

  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      description = {
        "PEM certificate chain of this server.",
        "With nbd:// clients may use TLS then, with nbds:// they must."
      })
  private @Nullable Path certificate;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      description = "PEM key (PKCS #8) of that certificate.")
  private @Nullable Path key;

  @Option(
      names = "--tls-only",
      paramLabel = "NAME",
      description =
          "This NBD export is only for clients that use TLS; others do not see it. Repeatable.")
  private List<String> tlsOnly = List.of();

  @Option(
      names = "--tls-client-ca",
      paramLabel = "FILE",
      description = "Only clients with a certificate that these PEM certificates have signed.")
  private @Nullable Path clientCa;

  @Option(
      names = "--description",
      paramLabel = "NAME=TEXT",
      description = "What NBD clients are told of an export, for people. Repeatable.")
  private Map<String, String> descriptions = Map.of();

  @Option(
      names = "--no-list",
      description = "Do not tell NBD clients the names of the exports: they have to know them.")
  private boolean unlisted;

  @Option(
      names = "--insecure",
      description = "Offer plaintext (grpc://, nbd://) also beyond this host.")
  private boolean insecure;

  /** The token for what is served, which nobody who is served needs one for. */
  public Optional<String> resourceToken() throws IOException {
    return isNbd() ? Tokens.from(null) : Optional.empty();
  }

  /** Whether it is NBD that is spoken. */
  public boolean isNbd() {
    return isInherited() || scheme(parse()).startsWith("nbd");
  }

  /**
   * The one client that is to be served, if there is nobody to wait for.
   *
   * @throws IllegalArgumentException if there is none where it should be
   */
  public Optional<SocketChannel> client() throws IOException {
    return stdio ? Optional.of(InheritedSocket.client()) : Optional.empty();
  }

  private boolean isInherited() {
    return stdio || InheritedSocket.isActivated();
  }

  /**
   * Whether an export is only for clients that use TLS.
   *
   * @throws IllegalArgumentException if one is that is not there
   */
  public Predicate<String> tlsOnly(List<String> exports) {
    tlsOnly.forEach(name -> requireExport("--tls-only", name, exports));
    return tlsOnly::contains;
  }

  /**
   * What clients are told of an export; nothing by default.
   *
   * @throws IllegalArgumentException if one is described that is not there
   */
  public UnaryOperator<String> descriptions(List<String> exports) {
    descriptions.keySet().forEach(name -> requireExport("--description", name, exports));
    return name -> descriptions.getOrDefault(name, "");
  }

  private static void requireExport(String option, String name, List<String> exports) {
    if (!exports.contains(name)) {
      throw new IllegalArgumentException(
          "%s %s: there is no such export, but %s".formatted(option, name, exports));
    }
  }

  /**
   * Tells a server of NBD all of this.
   *
   * @throws IllegalArgumentException if an option is malformed or does not fit another one
   */
  public NbdServer.Builder applyTo(NbdServer.Builder server) throws IOException {
    if (tokenFile != null) {
      throw new IllegalArgumentException("NBD has no tokens: use --tls-client-ca");
    }
    boolean required = false;
    if (isInherited()) {
      inherit(server);
    } else {
      URI where = parse();
      listen(server, where);
      required = scheme(where).startsWith("nbds");
    }
    if (certificate != null && key != null) {
      server.tls(certificate, key).plaintextToo(!required && !isInherited());
    } else if (required || certificate != null || key != null) {
      throw new IllegalArgumentException("TLS needs --tls-cert and --tls-key");
    }
    if (clientCa != null) {
      server.clientCa(clientCa);
    }
    return server.listing(!unlisted).insecure(insecure);
  }

  private void inherit(NbdServer.Builder server) throws IOException {
    if (address != null) {
      throw new IllegalArgumentException("there is a socket already: leave --listen out");
    }
    if (!stdio) {
      server.listen(InheritedSocket.listening());
    }
  }

  private void listen(NbdServer.Builder server, URI where) {
    switch (scheme(where)) {
      case "nbd", "nbds" -> {
        requirePlain(where);
        server.listen(host(where), where.getPort() < 0 ? NbdServer.DEFAULT_PORT : where.getPort());
      }
      case "nbd+unix", "nbds+unix" -> server.listen(socket(where));
      default -> throw unknownScheme();
    }
  }

  /**
   * Tells a server of gRPC all of this.
   *
   * @throws IllegalArgumentException if an option is malformed or does not fit another one
   */
  public GrpcServer.Builder applyTo(GrpcServer.Builder server) throws IOException {
    URI where = parse();
    switch (scheme(where)) {
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
      default -> throw unknownScheme();
    }
    if (clientCa != null) {
      server.clientCa(clientCa);
    }
    Tokens.from(tokenFile).ifPresent(server::token);
    return server.insecure(insecure);
  }

  private URI parse() {
    try {
      return new URI(address == null ? DEFAULT : address);
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException("malformed address to listen on: " + e.getReason(), e);
    }
  }

  private static String scheme(URI where) {
    return Optional.ofNullable(where.getScheme()).orElse("").toLowerCase(Locale.ROOT);
  }

  private IllegalArgumentException unknownScheme() {
    return new IllegalArgumentException(
        ("cannot listen on '%s': expected grpc://, grpcs://, grpc+unix://, nbd://, nbds://,"
                + " nbd+unix:// or nbds+unix://")
            .formatted(address));
  }

  private void listen(GrpcServer.Builder server, URI where) {
    requirePlain(where);
    server.listen(host(where), where.getPort() < 0 ? GRPC_PORT : where.getPort());
  }

  private void requirePlain(URI where) {
    if (where.getHost() == null || where.getRawUserInfo() != null) {
      throw new IllegalArgumentException(
          "cannot listen on '%s': expected %s://HOST:PORT".formatted(address, where.getScheme()));
    }
  }

  private static String host(URI where) {
    String host = where.getHost();
    return host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
  }

  private static Path socket(URI where) {
    String path = where.getPath();
    if (path == null || !path.startsWith("/") || where.getRawAuthority() != null) {
      throw new IllegalArgumentException(
          "expected %s:///path/of/socket".formatted(where.getScheme()));
    }
    return Path.of(path);
  }
}
