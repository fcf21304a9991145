package dev.r3map.cli.args;

import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How to reach a resource. */
public final class ConnectionOptions {
  /**
   * Long enough for a chunk on a slow line, short enough to be tried again before a reader fails.
   */
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(10);

  @Option(
      names = "--size",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description =
          "The resource's size, for servers that do not tell it (the Go r3map's). Such as 1GiB.")
  private @Nullable Long size;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description =
          "Holds the bearer token for the server. Without it, the variable R3MAP_TOKEN is used.")
  private @Nullable Path tokenFile;

  @Option(
      names = "--tls-ca",
      paramLabel = "FILE",
      description = "PEM certificates of who signed the server's, instead of the platform's.")
  private @Nullable Path ca;

  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      description = "PEM certificate to show to the server (mutual TLS).")
  private @Nullable Path certificate;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      description = "PEM key (PKCS #8) of that certificate.")
  private @Nullable Path key;

  @Option(
      names = "--insecure",
      description = "Accept plaintext (grpc://, nbd://) also beyond this host.")
  private boolean insecure;

  /** For reading and writing, with remote calls that take 10 s at most. */
  public BackendOptions backendOptions() throws IOException {
    BackendOptions options =
        BackendOptions.DEFAULT
            .withTimeout(CALL_TIMEOUT)
            .withInsecure(insecure)
            .withTls(
                new BackendOptions.Tls(
                    Optional.ofNullable(ca),
                    Optional.ofNullable(certificate),
                    Optional.ofNullable(key)));
    if (size != null) {
      options = options.withSize(size);
    }
    Optional<String> token = Tokens.from(tokenFile);
    return token.isPresent() ? options.withToken(token.get()) : options;
  }
}
