package dev.r3map.nbd.client;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/** Encrypts a wire, once the server has agreed to that. The one place that knows how. */
final class StartTls {
  private StartTls() {}

  /**
   * The same wire, encrypted; the handshake is over when this returns.
   *
   * @param context keys and trust that the caller has chosen; else those that the URI names
   */
  @SuppressWarnings("DoNotCallSuggester")
  static Wire over(Wire plain, Target.Security security, @Nullable SSLContext context)
      throws IOException {
    throw new PermanentIOException("this version of r3map has no TLS for NBD yet");
  }
}
