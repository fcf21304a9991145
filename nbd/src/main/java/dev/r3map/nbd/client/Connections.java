package dev.r3map.nbd.client;

import static dev.r3map.nbd.protocol.Transmission.FLAG_CAN_MULTI_CONN;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ResourceChangedException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Always has a session, or is about to: a lost one is replaced for as long as somebody asks. Owns
 * all connections; {@link #close} ends them.
 */
final class Connections implements AutoCloseable {
  private static final Logger LOG = System.getLogger(Connections.class.getName());

  /** A hiccup costs little, and a server that returns is noticed at once. */
  private static final Duration FIRST_PAUSE = Duration.ofMillis(10);

  private static final int MOST_DOUBLINGS = 6;

  private final Connector connector;
  private final int wanted;
  private final Terms opened;
  private final LongConsumer onSession;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private volatile @Nullable Session session;
  private long sessions;
  private int waiting;
  private boolean connecting;
  private @Nullable IOException lastFailure;
  private @Nullable String other;
  private final AtomicInteger failures = new AtomicInteger();
  private volatile boolean closed;

  /**
   * @param anchor the connection that there is already
   * @param wanted how many there shall be, if the server allows more than one
   * @param onSession told the number of every session before it is used
   */
  Connections(Connector connector, Link anchor, int wanted, LongConsumer onSession) {
    this.connector = connector;
    this.wanted = wanted;
    this.opened = anchor.terms();
    this.onSession = onSession;
    begin(anchor);
  }

  Terms opened() {
    return opened;
  }

  boolean isClosed() {
    return closed;
  }

  /**
   * A session, waiting for it if need be.
   *
   * @param deadline {@link System#nanoTime} after which to give up
   */
  Session current(long deadline) throws IOException {
    Session now = session;
    if (now != null && now.isAlive() && !closed) {
      return now;
    }
    lock.lock();
    try {
      waiting++;
      while (true) {
        refuseIfOver();
        now = session;
        if (now != null && now.isAlive()) {
          return now;
        }
        if (!connecting) {
          connecting = true;
          Thread.ofVirtual().name("r3map-nbd-reconnect").start(this::reconnect);
        }
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          throw unreachable();
        }
        long _ = changed.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while there was no connection");
    } finally {
      waiting--;
      lock.unlock();
    }
  }

  private void refuseIfOver() throws IOException {
    if (closed) {
      throw new PermanentIOException("closed");
    }
    String difference = other;
    if (difference != null) {
      throw new ResourceChangedException("it is not what was opened: " + difference);
    }
  }

  private IOException unreachable() {
    IOException why = lastFailure;
    String message = why == null ? "no connection" : Failures.describe(why);
    return why instanceof PermanentIOException
        ? new PermanentIOException(message, why)
        : new IOException(message, why);
  }

  /** The session's server did what it was asked to: the next loss is a new one. */
  void worked() {
    if (failures.get() != 0) {
      failures.set(0);
    }
  }

  /** A connection of this session failed. */
  void lost(Session which, IOException why) {
    if (which.isAlive()) {
      return;
    }
    lock.lock();
    try {
      if (session == which) {
        session = null;
        lastFailure = why;
        which.links().forEach(link -> link.cut(new LostException("the server is gone", why)));
      }
    } finally {
      lock.unlock();
    }
  }

  private void reconnect() {
    while (pauseAndGoOn()) {
      try {
        Link anchor = connector.connect();
        String difference = difference(anchor.terms());
        if (difference == null) {
          begin(anchor);
          return;
        }
        anchor.close();
        changed(difference);
      } catch (IOException | RuntimeException | Error e) {
        fail(e instanceof IOException failure ? failure : new IOException(e));
      }
    }
  }

  private void fail(IOException failure) {
    lock.lock();
    try {
      lastFailure = failure;
    } finally {
      lock.unlock();
    }
  }

  private void changed(String difference) {
    lock.lock();
    try {
      other = difference;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Waits as long as is due; false if nobody wants a connection any more. */
  private boolean pauseAndGoOn() {
    lock.lock();
    try {
      int before = failures.getAndIncrement();
      long pause =
          before == 0 ? 0 : FIRST_PAUSE.toNanos() << Math.min(before - 1, MOST_DOUBLINGS - 1);
      long end = System.nanoTime() + pause;
      for (long left = pause; left > 0 && !closed; left = end - System.nanoTime()) {
        long _ = changed.awaitNanos(left);
      }
      connecting = !closed && other == null && waiting > 0;
      return connecting;
    } catch (InterruptedException e) {
      connecting = false;
      return false;
    } finally {
      lock.unlock();
    }
  }

  private @Nullable String difference(Terms now) {
    if (now.size() != opened.size()) {
      return "%d bytes and not %d".formatted(now.size(), opened.size());
    }
    Terms.Limits limits = now.limits();
    if (limits.minimum() > opened.limits().minimum()
        || limits.maximum() < opened.limits().maximum()) {
      return "blocks of %d to %d bytes and not of %d to %d"
          .formatted(
              limits.minimum(),
              limits.maximum(),
              opened.limits().minimum(),
              opened.limits().maximum());
    }
    return null;
  }

  private void begin(Link anchor) {
    lock.lock();
    try {
      connecting = false;
      if (closed) {
        anchor.close();
        return;
      }
      Session former = session;
      if (former != null) {
        former.links().forEach(link -> link.cut(new LostException("the server is gone")));
      }
      Session next = new Session(++sessions, anchor);
      onSession.accept(next.number());
      session = next;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /**
   * There is more to do than one connection is for: makes the others, in the background, because a
   * server may refuse them, or let them wait.
   */
  void widen(Session which) {
    if (wanted > 1 && which.terms().has(FLAG_CAN_MULTI_CONN) && which.beginsToWiden()) {
      Thread.ofVirtual().name("r3map-nbd-widen").start(() -> connectOthers(which));
    }
  }

  private void connectOthers(Session which) {
    try {
      for (int i = 1; i < wanted && which.isAlive() && !closed; i++) {
        Link link = connector.connect();
        if (!add(which, link)) {
          link.close();
          return;
        }
      }
    } catch (IOException | RuntimeException | Error e) {
      LOG.log(Level.DEBUG, () -> "%s: no further connection".formatted(connector.target().name()));
    }
  }

  private boolean add(Session which, Link link) {
    lock.lock();
    try {
      if (closed || session != which || !which.isAlive() || !link.terms().equals(which.terms())) {
        return false;
      }
      which.add(link);
      return true;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
    Session last;
    lock.lock();
    try {
      closed = true;
      last = session;
      session = null;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    connector.close();
    if (last != null) {
      last.links().forEach(link -> link.cut(new LostException("closed")));
      last.links().forEach(Link::close);
    }
  }

  /** How many connections work now. */
  int width() {
    Session now = session;
    return now == null ? 0 : now.width();
  }
}
