package dev.r3map.nbd.server;

import dev.r3map.internal.TlsFiles;
import dev.r3map.nbd.wire.TlsWire;
import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;

/**
 * How a server encrypts.
 *
 * @param clientCertificates whether clients must have one that is trusted
 * @param required whether clients get nothing in plaintext
 */
public record Encryption(SSLContext context, boolean clientCertificates, boolean required) {

  /** Agrees with a client that has asked for it. */
  Wire over(Wire plain) throws IOException {
    SSLEngine engine = context.createSSLEngine();
    engine.setUseClientMode(false);
    engine.setNeedClientAuth(clientCertificates);
    engine.setEnabledProtocols(new String[] {TlsFiles.PROTOCOL});
    TlsWire wire = new TlsWire(plain, engine);
    wire.handshake();
    return wire;
  }
}
