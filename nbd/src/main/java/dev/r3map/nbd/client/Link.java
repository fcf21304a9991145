package dev.r3map.nbd.client;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One connection after its handshake. Owns the wire, a thread that receives and one that sends;
 * {@link #close} ends them, and requests under way fail then.
 */
final class Link implements AutoCloseable {
  /** A disk may flush, or zero a range, for a minute. */
  private static final int PATIENCE = 6;

  private static final Logger LOG = System.getLogger(Link.class.getName());

  private static final Duration CLOSE = Duration.ofSeconds(2);

  private final Wire wire;
  private final Terms terms;
  private final long timeoutNanos;
  private final Slots slots = new Slots();
  private final Input input;
  private final Sender sender;
  private final Receiver receiver;
  private final Thread receiving;
  private final Thread sending;
  private final AtomicReference<@Nullable IOException> end = new AtomicReference<>();

  private Link(Wire wire, Terms terms, Duration timeout, String name) {
    this.wire = wire;
    this.terms = terms;
    this.timeoutNanos = timeout.toNanos();
    this.input = new Input(wire);
    this.sender = new Sender(wire, terms.mode(), slots);
    this.receiver = new Receiver(input, terms, slots);
    this.receiving =
        Thread.ofPlatform().daemon().name("r3map-nbd-receive " + name).unstarted(this::receiveAll);
    this.sending = Thread.ofVirtual().name("r3map-nbd-send " + name).unstarted(this::sendAll);
  }

  /**
   * Takes a connection over, also when this fails.
   *
   * @param timeout for which the server may be silent while it owes a reply
   */
  static Link start(Wire wire, Terms terms, Duration timeout, String name) throws IOException {
    try {
      Link link = new Link(wire, terms, timeout, name);
      link.sending.start();
      link.receiving.start();
      return link;
    } catch (RuntimeException | Error e) {
      wire.close();
      throw e;
    }
  }

  Terms terms() {
    return terms;
  }

  boolean isAlive() {
    return end.get() == null;
  }

  /** How many requests have no reply. */
  int load() {
    return slots.count();
  }

  /**
   * Makes a request and waits for its end, whatever that is; the thread's interrupt does not end
   * it, because the payload is in use until then.
   *
   * @throws LostException if there was no reply and another connection may bring one
   * @throws MalformedException if the server breaks the protocol
   */
  void call(Request request) throws IOException {
    if (!slots.put(request, timeoutNanos)) {
      throw new LostException("no place for another request" + forSoLong(timeoutNanos));
    }
    sender.send(request, sending);
    boolean interrupted = false;
    while (!request.hasEnded()) {
      long wait = patience(request);
      if (wait <= 0) {
        cut(new LostException("the server has not answered" + forSoLong(limit(request))));
        wait = timeoutNanos;
      }
      LockSupport.parkNanos(this, wait);
      interrupted |= Thread.interrupted();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    IOException failure = request.failure();
    if (failure != null) {
      throw failure;
    }
  }

  /** What is left of the time that the server has for this request. */
  private long patience(Request request) {
    long now = System.nanoTime();
    long left = limit(request) * PATIENCE - (now - request.begun);
    if (request.isPatient()) {
      return limit(request) - (now - request.begun);
    }
    long moved = Math.max(input.progress() - request.begun, sender.progress() - request.begun);
    long silent = now - request.begun - Math.max(moved, 0);
    return Math.min(left, timeoutNanos - silent);
  }

  private long limit(Request request) {
    return request.isPatient() ? timeoutNanos * PATIENCE : timeoutNanos;
  }

  private static String forSoLong(long nanos) {
    return " for " + Duration.ofNanos(nanos).toMillis() / 1000.0 + " s";
  }

  /** Ends the connection for this reason, or for the one there was before. */
  IOException cut(IOException reason) {
    end.compareAndSet(null, reason);
    try {
      wire.close();
    } catch (IOException e) {
      reason.addSuppressed(e);
    }
    sender.stop(sending);
    return reason;
  }

  private void receiveAll() {
    try {
      while (end.get() == null) {
        receiver.receive();
      }
    } catch (MalformedException e) {
      cut(e);
    } catch (IOException e) {
      cut(lost(e));
    } catch (RuntimeException | Error e) {
      cut(new IOException("the connection failed: " + e, e));
    }
    awaitSender();
    IOException reason = end.get();
    slots.endAll(reason != null ? reason : new LostException("closed"));
  }

  private void sendAll() {
    try {
      sender.run();
    } catch (IOException e) {
      cut(lost(e));
    } catch (RuntimeException | Error e) {
      cut(new IOException("the connection failed: " + e, e));
    }
  }

  /** It reads from the payload of requests that are about to be given back. */
  private void awaitSender() {
    while (sending.isAlive()) {
      try {
        sending.join();
      } catch (InterruptedException e) {
        LOG.log(Level.DEBUG, "interrupted, by whom?", e);
      }
    }
  }

  private static LostException lost(IOException e) {
    String message = e.getMessage();
    return new LostException(message == null ? "the connection is lost" : message, e);
  }

  @Override
  public void close() {
    cut(new LostException("closed"));
    boolean interrupted = Thread.interrupted();
    try {
      receiving.join(CLOSE);
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
