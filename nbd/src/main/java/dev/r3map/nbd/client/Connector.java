package dev.r3map.nbd.client;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.nbd.wire.SocketWire;
import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** Makes connections to one server, each within a deadline. Owns those that are not ready yet. */
public final class Connector implements AutoCloseable {
  private static final Logger LOG = System.getLogger(Connector.class.getName());

  private final Target target;
  private final Duration timeout;
  private final @Nullable StartTls tls;
  private final Set<Guard> pending = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  /**
   * @param timeout for a connection with its handshake, and later for the server's silence
   * @param tls null for plaintext
   */
  public Connector(Target target, Duration timeout, @Nullable StartTls tls) {
    this.target = target;
    this.timeout = timeout;
    this.tls = tls;
  }

  Target target() {
    return target;
  }

  Duration timeout() {
    return timeout;
  }

  /** The names of what the server exports. */
  public List<String> list() throws IOException {
    return connect((wire, negotiation) -> {
      List<String> names = negotiation.list();
      wire.close();
      return names;
    });
  }

  /** One more connection. */
  Link connect() throws IOException {
    return connect(
        (wire, negotiation) -> Link.start(wire, negotiation.choose(), timeout, target.name()));
  }

  private interface Use<T> {
    T of(Wire wire, Negotiation negotiation) throws IOException;
  }

  private <T> T connect(Use<T> use) throws IOException {
    SocketAddress address = target.address();
    SocketChannel socket =
        address instanceof UnixDomainSocketAddress
            ? SocketChannel.open(StandardProtocolFamily.UNIX)
            : SocketChannel.open();
    Guard guard = new Guard(socket);
    pending.add(guard);
    boolean done = false;
    try {
      if (closed) {
        throw new PermanentIOException("closed");
      }
      socket.connect(address);
      refuseSelf(socket);
      SocketWire wire = new SocketWire(socket);
      guard.watch(wire);
      T result = negotiate(wire, use);
      done = guard.stop();
      if (!done) {
        throw guard.late();
      }
      return result;
    } catch (IOException e) {
      throw guard.stop() ? e : guard.late();
    } finally {
      pending.remove(guard);
      if (!done) {
        guard.cut();
      }
    }
  }

  /**
   * Where nobody listens at a port that connections from this host may be given, TCP can connect a
   * socket to itself, and the server that returns would find its port taken.
   */
  private static void refuseSelf(SocketChannel socket) throws IOException {
    if (socket.getRemoteAddress() instanceof InetSocketAddress remote
        && remote.equals(socket.getLocalAddress())) {
      throw new ConnectException("Connection refused");
    }
  }

  private <T> T negotiate(Wire wire, Use<T> use) throws IOException {
    Negotiation negotiation = new Negotiation(wire, target.export());
    negotiation.greet();
    if (tls == null) {
      return use.of(wire, negotiation);
    }
    negotiation.startTls();
    Wire encrypted = tls.over(wire);
    return use.of(encrypted, negotiation.over(encrypted));
  }

  /** Ends what is being connected; there will be no more. */
  @Override
  public void close() {
    closed = true;
    pending.forEach(Guard::cut);
  }

  /** Cuts a connection that takes too long to become ready. */
  private final class Guard {
    private final Thread thread;
    private AutoCloseable watched;
    private boolean wasCut;
    private boolean stopped;
    private boolean struck;

    Guard(SocketChannel socket) {
      watched = socket;
      thread =
          Thread.ofVirtual()
              .name("r3map-nbd-connect")
              .start(() -> {
                try {
                  Thread.sleep(timeout);
                } catch (InterruptedException e) {
                  return;
                }
                strike();
              });
    }

    /** The wire that the socket belongs to from now on. */
    synchronized void watch(SocketWire wire) {
      watched = wire;
      if (wasCut) {
        cut();
      }
    }

    /** Ends the connection, whatever it waits for. */
    synchronized void cut() {
      wasCut = true;
      try {
        watched.close();
      } catch (Exception e) {
        LOG.log(Level.DEBUG, "cannot close a connection", e);
      }
    }

    private synchronized void strike() {
      if (!stopped) {
        struck = true;
        cut();
      }
    }

    /** False if it was too late. */
    synchronized boolean stop() {
      stopped = true;
      thread.interrupt();
      return !struck;
    }

    IOException late() {
      return new IOException(
          "there was no connection within %s s".formatted(timeout.toMillis() / 1000.0));
    }
  }
}
