package dev.r3map.nbd.client;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.nbd.NbdServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Where an export is. A host's address is looked up once, and so is what was checked of it.
 *
 * <p>Source: {@code doc/uri.md} of NetworkBlockDevice/nbd; {@code tls-certificates} is libnbd's.
 *
 * @param name for messages
 * @param address what to connect to
 * @param export the name that the server knows it by; empty for its default
 * @param security empty for plaintext
 */
public record Target(
    String name, SocketAddress address, String export, Optional<Security> security) {

  /**
   * What the URI says of TLS.
   *
   * @param hostname that the server's certificate must bear
   * @param verifiesPeer whether that is checked at all
   * @param certificates the folder with {@code ca-cert.pem} and the others, if one was given
   */
  public record Security(String hostname, boolean verifiesPeer, Optional<Path> certificates) {}

  /**
   * @param insecure plaintext is accepted also beyond this host
   * @throws IllegalArgumentException if the URI is malformed, without repeating its user info
   * @throws PermanentIOException if plaintext would leave this host and nobody asked for that
   * @throws IOException if the host's address cannot be found
   */
  public static Target of(URI uri, boolean insecure) throws IOException {
    String scheme = uri.getScheme().toLowerCase(Locale.ROOT);
    if (uri.isOpaque()) {
      throw new IllegalArgumentException(
          "expected %s://host[:port]/export or %s+unix:///export?socket=PATH"
              .formatted(scheme, scheme));
    }
    if (uri.getRawFragment() != null) {
      throw new IllegalArgumentException("nbd: resources take no fragment (write # as %23)");
    }
    boolean unix = scheme.endsWith("+unix");
    boolean tls = scheme.startsWith("nbds");
    Map<String, String> query = Query.parse(uri.getRawQuery(), unix, tls);
    String path = Optional.ofNullable(uri.getRawPath()).orElse("");
    String export = Query.decode(path.startsWith("/") ? path.substring(1) : path);
    Authority authority = Authority.of(Optional.ofNullable(uri.getRawAuthority()).orElse(""));
    if (unix) {
      return unix(scheme, authority, export, query, tls);
    }
    return tcp(scheme, authority, export, query, tls, insecure);
  }

  private static Target unix(
      String scheme, Authority authority, String export, Map<String, String> query, boolean tls) {
    String socket = query.get("socket");
    if (!authority.host().isEmpty() || socket == null || socket.isEmpty()) {
      throw new IllegalArgumentException(
          "expected %s:///export?socket=/path/of/socket".formatted(scheme));
    }
    if (socket.indexOf('\0') >= 0) {
      throw new IllegalArgumentException("abstract sockets are not supported: use one with a path");
    }
    return new Target(
        "%s:///%s?socket=%s".formatted(scheme, export, socket),
        UnixDomainSocketAddress.of(Path.of(socket)),
        export,
        security(tls, query, "localhost"));
  }

  private static Target tcp(
      String scheme,
      Authority authority,
      String export,
      Map<String, String> query,
      boolean tls,
      boolean insecure)
      throws IOException {
    String host = authority.host();
    if (host.isEmpty()) {
      throw new IllegalArgumentException("expected %s://host[:port]/export".formatted(scheme));
    }
    int port = authority.port() < 0 ? NbdServer.DEFAULT_PORT : authority.port();
    String shown = "%s:%d".formatted(host.contains(":") ? "[" + host + "]" : host, port);
    String name =
        export.isEmpty()
            ? "%s://%s".formatted(scheme, shown)
            : "%s://%s/%s".formatted(scheme, shown, export);
    InetAddress address = resolve(host, name);
    if (!tls && !insecure && !address.isLoopbackAddress()) {
      throw new PermanentIOException(
          ("cannot open %s: it would be reached in plaintext; use nbds://%s, or --insecure if the"
                  + " network between is to be trusted")
              .formatted(name, shown));
    }
    return new Target(
        name, new InetSocketAddress(address, port), export, security(tls, query, host));
  }

  private static Optional<Security> security(
      boolean tls, Map<String, String> query, String hostname) {
    if (!tls) {
      return Optional.empty();
    }
    return Optional.of(
        new Security(
            query.getOrDefault("tls-hostname", hostname),
            Query.isTrue(query.getOrDefault("tls-verify-peer", "true")),
            Optional.ofNullable(query.get("tls-certificates")).map(Path::of)));
  }

  private static InetAddress resolve(String host, String name) throws IOException {
    try {
      return InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      throw new IOException("cannot open %s: unknown host".formatted(name), e);
    }
  }

  /**
   * The part between {@code //} and the path; parsed here because {@link URI} takes no host with an
   * underscore.
   *
   * @param port -1 if none is given
   */
  private record Authority(String host, int port) {
    static Authority of(String text) {
      if (text.contains("@")) {
        throw new IllegalArgumentException(
            "a user in an nbd: URI is for TLS with shared keys, which is not supported: use"
                + " certificates");
      }
      int bracket = text.lastIndexOf(']');
      int colon = text.indexOf(':', bracket + 1);
      String host = colon < 0 ? text : text.substring(0, colon);
      if (bracket >= 0) {
        host = host.substring(1, host.length() - 1);
      }
      String port = colon < 0 ? "" : text.substring(colon + 1);
      return new Authority(Query.decode(host), port.isEmpty() ? -1 : port(port));
    }

    private static int port(String text) {
      boolean number = text.length() <= 5 && text.chars().allMatch(c -> c >= '0' && c <= '9');
      int port = number ? Integer.parseInt(text) : 0;
      if (port < 1 || port > 65_535) {
        throw new IllegalArgumentException("a port is a number from 1 to 65535, not " + text);
      }
      return port;
    }
  }
}
