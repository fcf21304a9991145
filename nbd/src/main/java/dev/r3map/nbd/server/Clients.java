package dev.r3map.nbd.server;

import dev.r3map.nbd.wire.SocketWire;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** The connections of one server, each on a thread of its own. One thread takes new ones. */
public final class Clients {
  private static final Logger LOG = System.getLogger(Clients.class.getName());

  /** How long what was told to end may take to do so. */
  private static final Duration CUT_OFF = Duration.ofSeconds(2);

  private final Service service;
  private final Duration handshake;
  private final int most;
  private final Map<Connection, Thread> connections = new ConcurrentHashMap<>();

  /** Whether the one who came last was sent away. */
  private boolean full;

  /**
   * @param handshake how long a client may take for it
   * @param most connections at a time
   */
  public Clients(Service service, Duration handshake, int most) {
    this.service = service;
    this.handshake = handshake;
    this.most = most;
  }

  /** Serves a client, or sends it away if there are too many. Owns the socket. */
  public void take(SocketChannel socket) throws IOException {
    boolean wasFull = full;
    full = connections.size() >= most && !endOldestHalfOpen();
    if (full) {
      if (!wasFull) {
        LOG.log(Level.WARNING, "{0} connections: more are refused", most);
      }
      socket.close();
      return;
    }
    SocketWire wire = new SocketWire(socket);
    try {
      start(wire, String.valueOf(socket.getRemoteAddress()));
    } catch (IOException | RuntimeException | Error e) {
      wire.close();
      throw e;
    }
  }

  /** Who has not said yet what it wants makes room for who may. */
  private boolean endOldestHalfOpen() {
    Optional<Connection> oldest =
        connections.keySet().stream()
            .filter(Connection::isHalfOpen)
            .max(Comparator.comparing(Connection::age));
    oldest.ifPresent(connection -> {
      connections.remove(connection);
      connection.cut();
    });
    return oldest.isPresent();
  }

  private void start(SocketWire wire, String peer) {
    Connection connection = new Connection(wire, service, handshake, peer);
    Thread thread =
        Thread.ofPlatform()
            .daemon()
            .name("r3map-nbd " + peer)
            .unstarted(() -> {
              try {
                connection.run();
              } finally {
                connections.remove(connection);
              }
            });
    connections.put(connection, thread);
    try {
      thread.start();
    } catch (OutOfMemoryError e) {
      connections.remove(connection);
      throw e;
    }
  }

  /** Lets requests in flight end, for so long, and then ends all. */
  public void end(Duration grace) throws InterruptedException {
    connections.keySet().forEach(Connection::stop);
    awaitEnd(grace);
    end();
    service.workers().forEach(Thread::interrupt);
    awaitEnd(CUT_OFF);
  }

  /** Ends all, and does not wait for that. */
  public void end() {
    connections.keySet().forEach(Connection::cut);
  }

  private void awaitEnd(Duration patience) throws InterruptedException {
    long deadline = System.nanoTime() + patience.toNanos();
    for (Thread thread : List.copyOf(connections.values())) {
      thread.join(Duration.ofNanos(Math.max(deadline - System.nanoTime(), 1)));
    }
  }
}
