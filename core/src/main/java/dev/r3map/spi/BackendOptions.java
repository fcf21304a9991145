package dev.r3map.spi;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What is said of a resource beside its URI. Secrets travel here and not in the URI, so that they
 * cannot leak with it.
 *
 * @param readOnly the caller will not write
 * @param create make the resource if there is none; needs {@code size}
 * @param size the size in bytes, where the other side cannot tell it or the resource is made now
 * @param timeout deadline of one remote call
 * @param token bearer token for the other side
 * @param tls certificates and keys
 * @param insecure plaintext is accepted also beyond the loopback interface
 */
public record BackendOptions(
    boolean readOnly,
    boolean create,
    OptionalLong size,
    Duration timeout,
    Optional<String> token,
    Tls tls,
    boolean insecure) {

  /** Read and write an existing resource, 10 s for each call, nothing secret. */
  public static final BackendOptions DEFAULT =
      new BackendOptions(
          false,
          false,
          OptionalLong.empty(),
          Duration.ofSeconds(10),
          Optional.empty(),
          Tls.NONE,
          false);

  /**
   * PEM files.
   *
   * @param ca who to trust instead of the platform's authorities
   * @param certificate our own certificate chain
   * @param key the private key of {@code certificate}
   */
  public record Tls(Optional<Path> ca, Optional<Path> certificate, Optional<Path> key) {
    /** The platform's authorities, no certificate of our own. */
    public static final Tls NONE = new Tls(Optional.empty(), Optional.empty(), Optional.empty());
  }

  public BackendOptions withReadOnly(boolean value) {
    return new BackendOptions(value, create, size, timeout, token, tls, insecure);
  }

  public BackendOptions withCreate(long newSize) {
    return new BackendOptions(
        readOnly, true, OptionalLong.of(newSize), timeout, token, tls, insecure);
  }

  public BackendOptions withSize(long value) {
    return new BackendOptions(
        readOnly, create, OptionalLong.of(value), timeout, token, tls, insecure);
  }

  public BackendOptions withTimeout(Duration value) {
    return new BackendOptions(readOnly, create, size, value, token, tls, insecure);
  }

  public BackendOptions withToken(String value) {
    return new BackendOptions(readOnly, create, size, timeout, Optional.of(value), tls, insecure);
  }

  public BackendOptions withTls(Tls value) {
    return new BackendOptions(readOnly, create, size, timeout, token, value, insecure);
  }

  public BackendOptions withInsecure(boolean value) {
    return new BackendOptions(readOnly, create, size, timeout, token, tls, value);
  }

  /** Without the token: it must not reach a log. */
  @Override
  public String toString() {
    return "BackendOptions[readOnly=%s, create=%s, size=%s, timeout=%s, token=%s, tls=%s, insecure=%s]"
        .formatted(
            readOnly, create, size, timeout, token.isPresent() ? "***" : "none", tls, insecure);
  }
}
