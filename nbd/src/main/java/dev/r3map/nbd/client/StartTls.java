package dev.r3map.nbd.client;

import dev.r3map.internal.TlsFiles;
import dev.r3map.nbd.wire.TlsWire;
import dev.r3map.nbd.wire.Wire;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;

/** Encrypts connections to one server. The one place that knows how. */
public final class StartTls {
  private static final int NO_PORT = -1;

  private final Target.Security security;
  private final SSLContext context;

  /**
   * @param context keys and trust
   */
  public StartTls(Target.Security security, SSLContext context) {
    this.security = security;
    this.context = context;
  }

  /**
   * With the keys and the trust that the URI names by a folder, else those of the options.
   *
   * @throws IOException if one of the files cannot be used; names it
   */
  public static StartTls of(Target.Security security, BackendOptions.Tls options)
      throws IOException {
    BackendOptions.Tls files = security.certificates().map(StartTls::in).orElse(options);
    return new StartTls(
        security,
        security.verifiesPeer()
            ? TlsFiles.context(files.ca(), files.certificate(), files.key())
            : TlsFiles.contextThatTrustsAll(files.certificate(), files.key()));
  }

  /** The files that are there, under the names of libnbd, nbdkit and qemu. */
  private static BackendOptions.Tls in(Path folder) {
    return new BackendOptions.Tls(
        present(folder.resolve("ca-cert.pem")),
        present(folder.resolve("client-cert.pem")),
        present(folder.resolve("client-key.pem")));
  }

  private static Optional<Path> present(Path file) {
    return Optional.of(file).filter(Files::exists);
  }

  /** The same wire, encrypted; the handshake is over when this returns. */
  Wire over(Wire plain) throws IOException {
    SSLEngine engine = context.createSSLEngine(security.hostname(), NO_PORT);
    engine.setUseClientMode(true);
    engine.setEnabledProtocols(new String[] {TlsFiles.PROTOCOL});
    if (security.verifiesPeer()) {
      SSLParameters parameters = engine.getSSLParameters();
      // The rules of RFC 2818 for names; there are none of NBD's own.
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      engine.setSSLParameters(parameters);
    }
    TlsWire wire = new TlsWire(plain, engine);
    wire.handshake();
    return wire;
  }
}
