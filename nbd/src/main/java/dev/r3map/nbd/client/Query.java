package dev.r3map.nbd.client;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What follows the question mark of an NBD URI. */
final class Query {
  private static final Set<String> TLS =
      Set.of("tls-type", "tls-hostname", "tls-verify-peer", "tls-certificates");

  private Query() {}

  /**
   * Takes what means something for this kind of URI, and refuses the rest: what is silently left
   * out could have been what keeps a connection safe.
   */
  static Map<String, String> parse(@Nullable String raw, boolean unix, boolean tls) {
    Map<String, String> found = new HashMap<>();
    if (raw == null || raw.isEmpty()) {
      return found;
    }
    for (String pair : raw.split("&", -1)) {
      int equals = pair.indexOf('=');
      String key = decode(equals < 0 ? pair : pair.substring(0, equals));
      String value = equals < 0 ? "" : decode(pair.substring(equals + 1));
      check(key, value, unix, tls);
      if (found.put(key, value) != null) {
        throw new IllegalArgumentException("'%s' is twice in the nbd: URI".formatted(key));
      }
    }
    return found;
  }

  private static void check(String key, String value, boolean unix, boolean tls) {
    switch (key) {
      case "socket" -> {
        if (!unix) {
          throw new IllegalArgumentException("'socket' goes with nbd+unix: and nbds+unix:");
        }
      }
      case "tls-psk-file" ->
          throw new IllegalArgumentException(
              "TLS with shared keys (tls-psk-file) is not supported: use tls-certificates");
      case "tls-type", "tls-hostname", "tls-verify-peer", "tls-certificates" -> {
        if (!tls) {
          throw new IllegalArgumentException("'%s' goes with nbds: and nbds+unix:".formatted(key));
        }
        checkTls(key, value);
      }
      default ->
          throw new IllegalArgumentException(
              "unknown parameter '%s' in the nbd: URI; there are socket and %s"
                  .formatted(key, String.join(", ", TLS.stream().sorted().toList())));
    }
  }

  private static void checkTls(String key, String value) {
    if (key.equals("tls-type") && !value.equals("x509")) {
      throw new IllegalArgumentException(
          "tls-type=%s is not supported: there is x509".formatted(value));
    }
    if (key.equals("tls-verify-peer")) {
      boolean _ = isTrue(value);
    }
    if (value.isEmpty()) {
      throw new IllegalArgumentException("'%s' in the nbd: URI needs a value".formatted(key));
    }
  }

  static boolean isTrue(String value) {
    return switch (value) {
      case "1", "true", "on", "yes" -> true;
      case "0", "false", "off", "no" -> false;
      default ->
          throw new IllegalArgumentException(
              "tls-verify-peer is 1 or 0, not '%s'".formatted(value));
    };
  }

  /** Undoes percent-encoding; unlike in forms, a plus is a plus. */
  static String decode(String raw) {
    byte[] source = raw.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes = ByteBuffer.allocate(source.length);
    for (int i = 0; i < source.length; i++) {
      boolean escape = source[i] == '%' && i + 2 < source.length;
      // The URI's own parser has seen to it that two hexadecimal digits follow.
      bytes.put(escape ? (byte) Integer.parseInt(raw(source, i + 1), 16) : source[i]);
      i += escape ? 2 : 0;
    }
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes.flip()).toString();
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("what is encoded in the nbd: URI is not UTF-8", e);
    }
  }

  private static String raw(byte[] source, int at) {
    return new String(source, at, 2, StandardCharsets.US_ASCII);
  }
}
