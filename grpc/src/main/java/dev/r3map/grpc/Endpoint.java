package dev.r3map.grpc;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Where a server is. A host's address is looked up once, and so is what was checked of it.
 *
 * @param name for messages: never holds a secret
 * @param address what to connect to
 * @param authority the name that the server's certificate must bear
 * @param tls whether to speak TLS
 */
record Endpoint(String name, SocketAddress address, String authority, boolean tls) {

  /**
   * @throws IllegalArgumentException if the URI is malformed, without repeating its user info
   * @throws PermanentIOException if plaintext would leave this host and nobody asked for that
   * @throws IOException if the host's address cannot be found
   */
  static Endpoint of(URI uri, BackendOptions options) throws IOException {
    String scheme = uri.getScheme().toLowerCase(Locale.ROOT);
    if (uri.getRawQuery() != null || uri.getRawFragment() != null) {
      throw new IllegalArgumentException(scheme + ": resources take no query and no fragment");
    }
    return scheme.equals("grpc+unix") ? unix(uri) : tcp(uri, scheme, options);
  }

  private static Endpoint unix(URI uri) {
    String path = uri.getPath();
    if (uri.getRawAuthority() != null || path == null || !path.startsWith("/")) {
      throw new IllegalArgumentException("expected grpc+unix:///path/of/socket");
    }
    return new Endpoint(
        "grpc+unix://" + path, UnixDomainSocketAddress.of(Path.of(path)), "localhost", false);
  }

  private static Endpoint tcp(URI uri, String scheme, BackendOptions options) throws IOException {
    String host = uri.getHost();
    String path = uri.getRawPath();
    if (uri.getRawUserInfo() != null) {
      throw new IllegalArgumentException(
          "credentials do not belong into a %s: URI; use a token or certificates"
              .formatted(scheme));
    }
    if (host == null || !(path == null || path.isEmpty() || path.equals("/"))) {
      throw new IllegalArgumentException("expected %s://host[:port]".formatted(scheme));
    }
    int port = uri.getPort() < 0 ? Limits.DEFAULT_PORT : uri.getPort();
    boolean tls = scheme.equals("grpcs");
    String authority = host + ":" + port;
    String name = scheme + "://" + authority;
    InetAddress address = resolve(host, name);
    if (!tls && !options.insecure() && !address.isLoopbackAddress()) {
      throw new PermanentIOException(
          "cannot open %s: it would be reached in plaintext; use grpcs://%s, or --insecure if the"
                  .formatted(name, authority)
              + " network between is to be trusted");
    }
    return new Endpoint(name, new InetSocketAddress(address, port), authority, tls);
  }

  private static InetAddress resolve(String host, String name) throws IOException {
    String bare = host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
    try {
      return InetAddress.getByName(bare);
    } catch (UnknownHostException e) {
      throw new IOException("cannot open %s: unknown host".formatted(name), e);
    }
  }
}
