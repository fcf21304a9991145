package dev.r3map.nbd.client;

import static dev.r3map.nbd.protocol.Transmission.CMD_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLUSH;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_TRIM;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE_ZEROES;
import static dev.r3map.nbd.protocol.Transmission.ESHUTDOWN;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_FLUSH;

import dev.r3map.backend.Extent;
import dev.r3map.internal.RangeSet;
import dev.r3map.internal.WriteLog;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An export, whatever becomes of the connections to it. A request without a reply is made again, on
 * the next connection, until its time is over; that is safe, because the caller is still here and
 * nobody else writes these bytes for it.
 *
 * <p>NBD knows no instances of a server, so each session counts as one: what was written in an
 * earlier session and no flush has covered may be gone, and a sync fails until it was written
 * again.
 */
public final class RemoteExport implements AutoCloseable {
  /** Fits into 32 bits whatever the server speaks after a reconnect, and into every block size. */
  private static final long LONGEST_RANGE = (1L << 32) - (64 << 10);

  /** A disk that must write the zeros can do this many within the time a server has. */
  private static final long LONGEST_ZERO = 1L << 30;

  /** Requests under way on every connection, from which on more connections are of use. */
  private static final int BUSY = 2;

  private final Connections connections;
  private final Failures failures;
  private final Terms opened;
  private final long timeoutNanos;
  private final WriteLog log = new WriteLog(0);

  private RemoteExport(Connector connector, Link anchor, int wanted, Failures failures) {
    this.failures = failures;
    this.opened = anchor.terms();
    this.timeoutNanos = connector.timeout().toNanos();
    this.connections = new Connections(connector, anchor, wanted, log::serverIs);
  }

  /**
   * Connects.
   *
   * @param wanted how many connections there shall be, if the server allows more than one
   */
  public static RemoteExport open(Connector connector, int wanted, Failures failures)
      throws IOException {
    try {
      return new RemoteExport(connector, connector.connect(), wanted, failures);
    } catch (IOException e) {
      connector.close();
      throw failures.of("open", e);
    }
  }

  /** What the server said when it was opened. */
  public Terms terms() {
    return opened;
  }

  /** How many connections there are now. */
  public int width() {
    return connections.width();
  }

  public boolean isClosed() {
    return connections.isClosed();
  }

  /** Reads whole blocks. */
  void read(ByteBuffer dst, long offset) throws IOException {
    pieces(CMD_READ, dst, offset);
  }

  /** Writes whole blocks. */
  void write(ByteBuffer src, long offset) throws IOException {
    pieces(CMD_WRITE, src, offset);
  }

  private void pieces(int type, ByteBuffer buffer, long offset) throws IOException {
    int most = opened.limits().maximum();
    int start = buffer.position();
    int length = buffer.remaining();
    for (int done = 0; done < length; ) {
      int n = Math.min(most, length - done);
      int from = start + done;
      long at = offset + done;
      Request _ = call(() -> new Request(type, at, n, buffer.slice(from, n)));
      done += n;
    }
    buffer.position(start + length);
  }

  void discard(long offset, long length) throws IOException {
    ranges(CMD_TRIM, offset, length, LONGEST_RANGE);
  }

  void zero(long offset, long length) throws IOException {
    ranges(CMD_WRITE_ZEROES, offset, length, LONGEST_ZERO);
  }

  private void ranges(int type, long offset, long length, long most) throws IOException {
    for (long done = 0; done < length; ) {
      long at = offset + done;
      long n = Math.min(most, length - done);
      Request _ = call(() -> new Request(type, at, n, null));
      done += n;
    }
  }

  /** What a beginning of a range of whole blocks holds, in order. */
  List<Extent> extents(long offset, long length) throws IOException {
    long asked = Math.min(length, LONGEST_RANGE);
    Request reply = call(() -> new Request(CMD_BLOCK_STATUS, offset, asked, null));
    return new ArrayList<>(reply.extents);
  }

  /** See {@link dev.r3map.backend.Backend#sync}. */
  public void sync() throws IOException {
    refuseIfLost();
    RangeSet covered = log.beginSync();
    boolean durable = false;
    try {
      if (opened.has(FLAG_SEND_FLUSH)) {
        Request _ = call(() -> new Request(CMD_FLUSH, 0, 0, null), true);
      } else {
        askForLife();
      }
      durable = true;
    } finally {
      log.endSync(covered, durable);
    }
    // If the server restarted meanwhile, what it was to make durable is among the lost.
    refuseIfLost();
  }

  /** To a server without flush a write is over with its reply; if it is still the same server. */
  private void askForLife() throws IOException {
    int bytes = (int) Math.min(opened.size(), opened.limits().minimum());
    if (bytes > 0) {
      ByteBuffer block = ByteBuffer.allocate(bytes);
      Request _ = call(() -> new Request(CMD_READ, 0, bytes, block.slice()), true);
    }
  }

  private void refuseIfLost() throws IOException {
    long lost = log.lostBytes();
    if (lost > 0) {
      throw failures.of(
          "sync",
          new IOException(
              ("the server, or the connection to it, was lost since %d bytes were written; write"
                      + " them again")
                  .formatted(lost)));
    }
  }

  private interface Maker {
    Request make();
  }

  private Request call(Maker maker) throws IOException {
    return call(maker, false);
  }

  /**
   * Makes a request until there is a reply.
   *
   * @param overAnchor whether it is about the server as such; see {@link Session}
   */
  private Request call(Maker maker, boolean overAnchor) throws IOException {
    long deadline = System.nanoTime() + timeoutNanos;
    while (true) {
      Request request = maker.make();
      Session session;
      try {
        session = connections.current(deadline);
      } catch (IOException e) {
        throw failures.of(Failures.action(request), e);
      }
      IOException lost = attempt(request, session, overAnchor);
      if (lost == null) {
        return request;
      }
      connections.lost(session, lost);
      if (connections.isClosed()) {
        throw failures.closed(Failures.action(request));
      }
      boolean again = lost instanceof LostException && System.nanoTime() - deadline < 0;
      if (!again) {
        throw failures.of(Failures.action(request), lost);
      }
    }
  }

  /** Null if there was a good reply, else why there was none. */
  private @Nullable IOException attempt(Request request, Session session, boolean overAnchor)
      throws IOException {
    Link link = overAnchor ? session.anchor() : session.idlest();
    if (link.load() >= BUSY) {
      connections.widen(session);
    }
    try {
      link.call(request);
    } catch (LostException | MalformedException e) {
      return e;
    } catch (IOException e) {
      throw failures.of(Failures.action(request), e);
    }
    if (request.error() == ESHUTDOWN) {
      LostException leaving = new LostException("the server is shutting down");
      IOException _ = link.cut(leaving);
      return session.anchor().cut(leaving);
    }
    connections.worked();
    if (request.error() != 0) {
      throw failures.refused(request);
    }
    if (request.type == CMD_WRITE || request.type == CMD_WRITE_ZEROES || request.type == CMD_TRIM) {
      log.wrote(session.number(), request.offset, request.length);
    }
    return null;
  }

  @Override
  public void close() {
    connections.close();
  }
}
