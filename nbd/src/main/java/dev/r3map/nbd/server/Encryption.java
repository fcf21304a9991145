package dev.r3map.nbd.server;

import dev.r3map.internal.TlsFiles;
import dev.r3map.nbd.wire.TlsWire;
import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import org.jspecify.annotations.Nullable;

/**
 * How a server encrypts.
 *
 * @param clientCertificates whether clients must have one that is trusted
 * @param required whether clients get nothing in plaintext
 */
public record Encryption(SSLContext context, boolean clientCertificates, boolean required) {

  /**
   * All of TLS 1.3 that the JDK has (RFC 8446, B.4), the one first that takes both sides the least
   * time.
   */
  private static final String[] CIPHER_SUITES = {
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"
  };

  /**
   * With these PEM files.
   *
   * @param clientCa those who sign clients' certificates, which clients must have then
   */
  public static Encryption of(Path certificate, Path key, @Nullable Path clientCa, boolean required)
      throws IOException {
    SSLContext context =
        TlsFiles.context(Optional.ofNullable(clientCa), Optional.of(certificate), Optional.of(key));
    return new Encryption(context, clientCa != null, required);
  }

  /** Agrees with a client that has asked for it. */
  Wire over(Wire plain) throws IOException {
    SSLEngine engine = context.createSSLEngine();
    engine.setUseClientMode(false);
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setProtocols(new String[] {TlsFiles.PROTOCOL});
    parameters.setCipherSuites(CIPHER_SUITES);
    parameters.setUseCipherSuitesOrder(true);
    parameters.setNeedClientAuth(clientCertificates);
    engine.setSSLParameters(parameters);
    TlsWire wire = new TlsWire(plain, engine);
    wire.handshake();
    return wire;
  }
}
