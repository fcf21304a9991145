package dev.r3map.nbd;

import dev.r3map.backend.Backend;
import dev.r3map.nbd.server.Clients;
import dev.r3map.nbd.server.Connection;
import dev.r3map.nbd.server.Encryption;
import dev.r3map.nbd.server.Exports;
import dev.r3map.nbd.server.Service;
import dev.r3map.nbd.wire.SocketWire;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Serves backends as network block devices, to any client of the NBD protocol: fixed newstyle,
 * structured replies and extended headers. All connections to an export see one device: what one of
 * them flushes is durable for all. The backends stay the caller's; they are synced by clients that
 * flush, and not by {@link #close}. Thread-safe.
 *
 * <p>Source: the NBD specification, {@code doc/proto.md} of NetworkBlockDevice/nbd.
 */
public final class NbdServer implements AutoCloseable {
  /** Registered at IANA. */
  public static final int DEFAULT_PORT = 10809;

  private static final Logger LOG = System.getLogger(NbdServer.class.getName());

  /** How long the last client may take to be taken. */
  private static final Duration ACCEPT_END = Duration.ofSeconds(2);

  /** After a failure to accept that may pass, such as too many open files. */
  private static final Duration ACCEPT_PAUSE = Duration.ofMillis(100);

  private final Builder how;
  private final Service service;
  private final Door door;
  private final ServerSocketChannel listener;
  private final URI uri;
  private final Clients clients;
  private final Thread acceptor;

  private NbdServer(Builder how, Service service, ServerSocketChannel listener) throws IOException {
    this.how = how;
    this.service = service;
    this.clients = new Clients(service, how.handshake, how.connections);
    this.listener = listener;
    this.door = how.door;
    this.uri = door.uri(how.requiresTls() ? "nbds" : "nbd", listener);
    this.acceptor =
        Thread.ofPlatform().daemon().name("r3map-nbd-accept").unstarted(this::acceptAll);
  }

  /** A server to be, on a free port of the loopback interface unless told otherwise. */
  public static Builder serve(Backend backend) {
    return serve(List.of(NbdExport.of("", backend)));
  }

  /** The same for several exports; clients that ask for no name get the first. */
  public static Builder serve(List<NbdExport> exports) {
    return new Builder(exports);
  }

  /** The same for what may change while the server runs. */
  public static Builder serve(NbdExports exports) {
    return new Builder(exports);
  }

  /** The port that the server listens on, 0 on a Unix socket. */
  public int port() {
    return Math.max(uri.getPort(), 0);
  }

  /**
   * Where the server listens, as a client on this host writes it; without the name of an export.
   */
  public URI uri() {
    return uri;
  }

  /**
   * Ends the server: requests in flight are finished for as long as the grace lasts, later ones are
   * refused with {@code ESHUTDOWN}. Idempotent.
   */
  @Override
  public void close() throws IOException {
    service.stop();
    listener.close();
    try {
      acceptor.join(ACCEPT_END);
      clients.end(how.grace);
    } catch (InterruptedException e) {
      clients.end();
      Thread.currentThread().interrupt();
    } finally {
      door.close(listener);
    }
  }

  private void acceptAll() {
    while (listener.isOpen()) {
      try {
        clients.take(listener.accept());
      } catch (ClosedChannelException e) {
        return;
      } catch (IOException | RuntimeException | OutOfMemoryError e) {
        LOG.log(Level.WARNING, "cannot take a connection", e);
        pause();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(ACCEPT_PAUSE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Says how to serve. */
  public static final class Builder {
    private final List<NbdExport> exports;
    private final @Nullable NbdExports changing;
    private Door door = Door.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    private @Nullable Path certificate;
    private @Nullable Path key;
    private @Nullable Path clientCa;
    private boolean plaintextToo;
    private boolean insecure;
    private boolean listing = true;
    private Duration handshake = Duration.ofSeconds(10);
    private Duration stall = Duration.ofSeconds(30);
    private Duration grace = Duration.ofSeconds(2);
    private int connections = 256;
    private long memory = 256L << 20;

    private Builder(List<NbdExport> exports) {
      if (exports.isEmpty()) {
        throw new IllegalArgumentException("nothing to serve");
      }
      this.exports = List.copyOf(exports);
      this.changing = null;
    }

    private Builder(NbdExports exports) {
      this.exports = List.of();
      this.changing = exports;
    }

    /** On a TCP port; 0 for any that is free. */
    public Builder listen(String host, int port) {
      this.door = Door.at(new InetSocketAddress(host, port));
      return this;
    }

    /** On a Unix socket that only this user can reach; a dead server's is replaced. */
    public Builder listen(Path socket) {
      this.door = Door.at(socket);
      return this;
    }

    /** On a socket that somebody else made listen, and whose path is theirs; it becomes ours. */
    public Builder listen(ServerSocketChannel socket) throws IOException {
      this.door = Door.of(socket);
      return this;
    }

    /** TLS 1.3 with these PEM files: the certificate chain, and its key. Clients must use it. */
    public Builder tls(Path certificateChain, Path privateKey) {
      this.certificate = certificateChain;
      this.key = privateKey;
      return this;
    }

    /** Only clients with a certificate that these PEM certificates have signed; needs TLS. */
    public Builder clientCa(Path authorities) {
      this.clientCa = authorities;
      return this;
    }

    /** With TLS: clients may do without it, but for exports that are only for it. */
    public Builder plaintextToo(boolean value) {
      this.plaintextToo = value;
      return this;
    }

    /** Plaintext is meant also where others can listen. */
    public Builder insecure(boolean value) {
      this.insecure = value;
      return this;
    }

    /** Whether clients may ask for the names of the exports; they may by default. */
    public Builder listing(boolean value) {
      this.listing = value;
      return this;
    }

    /** How long a client may take to say what it wants; 10 s by default. */
    public Builder handshakeTimeout(Duration value) {
      this.handshake = value;
      return this;
    }

    /**
     * How long a client may take to receive replies, or to send what it has announced, while the
     * memory that these hold is wanted by others who have waited as long; 30 s by default. Who asks
     * for nothing, or keeps nobody waiting, may stay for ever.
     */
    public Builder stallTimeout(Duration value) {
      this.stall = value;
      return this;
    }

    /** How long {@link NbdServer#close} lets requests in flight go on; 2 s by default. */
    public Builder grace(Duration patience) {
      this.grace = patience;
      return this;
    }

    /**
     * How many clients there may be at a time, 256 by default. More are sent away, unless one that
     * has not ended its handshake can be.
     */
    public Builder connections(int most) {
      this.connections = most;
      return this;
    }

    /**
     * Bytes of payload that all requests together may hold, 256 MiB by default; others wait. One
     * connection gets a quarter of it, though 32 MiB at least. Apart from that a connection has
     * buffers of 768 KiB.
     */
    public Builder memory(long bytes) {
      this.memory = bytes;
      return this;
    }

    /**
     * Listens and serves.
     *
     * @throws IllegalArgumentException if plaintext were offered beyond this host without {@link
     *     #insecure}, something needs TLS and there is none, two exports have one name, or the
     *     limits of a backend cannot be expressed
     * @throws IOException if the address or the TLS files cannot be used, or a backend not be asked
     */
    public NbdServer start() throws IOException {
      checkTls();
      checkPlaintext();
      Service service = service();
      ServerSocketChannel listener = door.open();
      try {
        NbdServer server = new NbdServer(this, service, listener);
        server.acceptor.start();
        return server;
      } catch (IOException | RuntimeException e) {
        door.close(listener);
        throw e;
      }
    }

    private boolean requiresTls() {
      return certificate != null && !plaintextToo;
    }

    private void checkTls() {
      if (certificate == null && (clientCa != null || plaintextToo)) {
        throw new IllegalArgumentException("client certificates and a choice need TLS");
      }
      if (certificate == null && exports.stream().anyMatch(NbdExport::tlsOnly)) {
        throw new IllegalArgumentException("an export is only for TLS, and there is none");
      }
    }

    /**
     * Serves one client that is connected already, and nobody else, until it leaves. The socket
     * becomes ours; whoever shuts its input down ends this call.
     *
     * @throws IllegalArgumentException as {@link #start}
     * @throws IOException if a backend cannot be asked
     */
    public void serveOne(SocketChannel client) throws IOException {
      checkTls();
      try (client) {
        new Connection(new SocketWire(client), service(), handshake, "the client").run();
      }
    }

    private Service service() throws IOException {
      Encryption encryption =
          certificate == null || key == null
              ? null
              : Encryption.of(certificate, key, clientCa, !plaintextToo);
      return new Service(
          changing == null ? new Exports(exports) : new Exports(changing),
          encryption,
          listing,
          memory,
          stall);
    }

    private void checkPlaintext() throws IOException {
      if (!(door.address() instanceof InetSocketAddress inet)) {
        return;
      }
      if (inet.isUnresolved()) {
        throw new IOException("cannot listen on %s: unknown host".formatted(inet.getHostString()));
      }
      boolean offered =
          !requiresTls() && (changing != null || !exports.stream().allMatch(NbdExport::tlsOnly));
      if (offered && !insecure && !inet.getAddress().isLoopbackAddress()) {
        throw new IllegalArgumentException(
            "cannot listen on %s in plaintext: use TLS, or give --insecure".formatted(inet));
      }
    }
  }
}
