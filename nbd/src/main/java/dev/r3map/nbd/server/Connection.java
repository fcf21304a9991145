package dev.r3map.nbd.server;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** One client, from the greeting to the end, on a thread of its own. Owns the wire. */
public final class Connection implements Runnable {
  private static final Logger LOG = System.getLogger(Connection.class.getName());

  private final Wire wire;
  private final Service service;
  private final Duration patience;
  private final String peer;
  private final long begun = System.nanoTime();
  private volatile boolean halfOpen = true;

  /**
   * @param patience for the whole handshake
   * @param peer the client's name, for messages
   */
  public Connection(Wire wire, Service service, Duration patience, String peer) {
    this.wire = wire;
    this.service = service;
    this.patience = patience;
    this.peer = peer;
  }

  @Override
  public void run() {
    try (wire) {
      Negotiation negotiation = new Negotiation(wire, service);
      Agreed agreed = inTime(negotiation);
      if (agreed != null) {
        new RequestLoop(negotiation.wire(), agreed, service).run();
      }
      negotiation.wire().finish();
    } catch (IOException e) {
      // Clients may go as they like; what one of them did wrong is its own business.
      LOG.log(Level.DEBUG, () -> "%s: %s".formatted(peer, Failures.message(e)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      LOG.log(Level.WARNING, "the connection of %s ended".formatted(peer), e);
    }
  }

  /** Whether the handshake goes on. */
  public boolean isHalfOpen() {
    return halfOpen;
  }

  public Duration age() {
    return Duration.ofNanos(System.nanoTime() - begun);
  }

  /** No more requests are taken; who waits for one, waits no longer. */
  public void stop() {
    try {
      wire.endInput();
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "cannot stop the connection of " + peer, e);
    }
  }

  /** Ends it, whatever it is doing. */
  public void cut() {
    try {
      wire.close();
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "cannot end the connection of " + peer, e);
    }
  }

  private @Nullable Agreed inTime(Negotiation negotiation) throws IOException {
    Thread guard = Thread.ofVirtual().name("r3map-nbd-handshake").start(this::guard);
    try {
      return negotiation.run();
    } finally {
      halfOpen = false;
      guard.interrupt();
    }
  }

  private void guard() {
    try {
      Thread.sleep(patience);
      LOG.log(Level.DEBUG, () -> peer + ": no handshake within " + patience);
      cut();
    } catch (InterruptedException e) {
      // The handshake is over.
      return;
    }
  }
}
