package dev.r3map.nbd.wire;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;

/**
 * A wire, encrypted. Owns the wire below. Many records travel in one call of it, because a record
 * holds only 16 KiB.
 */
public final class TlsWire implements Wire {
  private static final int RECORDS = 32;

  private final Wire below;
  private final SSLEngine engine;

  /** What one record holds at most, in bytes. */
  private final int content;

  /** What one record takes at most on the wire, in bytes. */
  private final int record;

  /** Records that have come; the reader's. */
  private final ByteBuffer received;

  /** What was in a record and did not fit where it was wanted; the reader's. */
  private final ByteBuffer plain;

  /** Held by who sends: a reader may have to, in the middle of the stream. */
  private final ReentrantLock sending = new ReentrantLock();

  private final ByteBuffer encrypted;
  private final ByteBuffer[] outgoing = new ByteBuffer[1];

  /**
   * @param below connected, and owned from now on
   * @param engine of either side; not used yet
   */
  public TlsWire(Wire below, SSLEngine engine) {
    this.below = below;
    this.engine = engine;
    content = engine.getSession().getApplicationBufferSize();
    record = engine.getSession().getPacketBufferSize();
    received = ByteBuffer.allocateDirect(RECORDS * record).flip();
    plain = ByteBuffer.allocateDirect(content).flip();
    encrypted = ByteBuffer.allocateDirect(RECORDS * record);
  }

  /**
   * Agrees on keys with the peer; before anything else.
   *
   * @throws IOException if the peer is not to be trusted, or there is no agreement; it is told
   */
  public void handshake() throws IOException {
    try {
      engine.beginHandshake();
      while (engine.getHandshakeStatus() != HandshakeStatus.NOT_HANDSHAKING) {
        if (mustRead(engine.getHandshakeStatus())) {
          if (!unwrap(plain.clear())) {
            throw new SSLException("the peer ended the TLS handshake");
          }
          plain.flip();
        } else {
          goOn(engine.getHandshakeStatus());
        }
      }
    } catch (SSLException e) {
      tellWhy(e);
      throw e;
    }
  }

  private static boolean mustRead(HandshakeStatus status) {
    return status == HandshakeStatus.NEED_UNWRAP || status == HandshakeStatus.NEED_UNWRAP_AGAIN;
  }

  /** The alert that says what was wrong. */
  private void tellWhy(SSLException why) {
    try {
      engine.closeOutbound();
      sendOwn();
    } catch (IOException e) {
      why.addSuppressed(e);
    }
  }

  @Override
  public int read(ByteBuffer dst) throws IOException {
    if (!dst.hasRemaining()) {
      return 0;
    }
    int start = dst.position();
    while (true) {
      if (plain.hasRemaining()) {
        int count = Math.min(plain.remaining(), dst.remaining());
        dst.put(dst.position(), plain, plain.position(), count).position(dst.position() + count);
        plain.position(plain.position() + count);
        return dst.position() - start;
      }
      // What has come is worth more than what may come.
      if (dst.position() > start && !hasRecord()) {
        return dst.position() - start;
      }
      boolean ended;
      if (dst.remaining() >= content) {
        ended = !unwrap(dst);
      } else if (dst.position() > start) {
        return dst.position() - start;
      } else {
        ended = !unwrap(plain.clear());
        plain.flip();
      }
      if (ended) {
        return dst.position() > start ? dst.position() - start : -1;
      }
    }
  }

  /** Whether a whole record is there: its length is in bytes 3 and 4 of it (RFC 8446, 5.1). */
  private boolean hasRecord() {
    return received.remaining() >= 5
        && received.remaining() - 5
            >= Short.toUnsignedInt(received.getShort(received.position() + 3));
  }

  /**
   * Takes one record, whatever is in it.
   *
   * @return false at the end
   */
  private boolean unwrap(ByteBuffer into) throws IOException {
    while (true) {
      SSLEngineResult result = engine.unwrap(received, into);
      if (result.getStatus() == Status.CLOSED) {
        return false;
      }
      if (result.getStatus() == Status.BUFFER_OVERFLOW) {
        throw new SSLException("a record of more than %d bytes".formatted(content));
      }
      if (result.getStatus() == Status.OK) {
        if (!mustRead(result.getHandshakeStatus())) {
          goOn(result.getHandshakeStatus());
        }
        return true;
      }
      received.compact();
      int count;
      try {
        count = below.read(received);
      } finally {
        received.flip();
      }
      if (count < 0) {
        if (engine.getHandshakeStatus() != HandshakeStatus.NOT_HANDSHAKING) {
          throw new EOFException("the connection ended in the middle of the TLS handshake");
        }
        return false;
      }
    }
  }

  /** Does what the engine needs that is not reading. */
  private void goOn(HandshakeStatus status) throws IOException {
    if (status == HandshakeStatus.NEED_TASK) {
      for (Runnable task = engine.getDelegatedTask();
          task != null;
          task = engine.getDelegatedTask()) {
        task.run();
      }
    } else if (status == HandshakeStatus.NEED_WRAP) {
      sendOwn();
    }
  }

  /** Sends what the engine has to say itself. */
  private void sendOwn() throws IOException {
    sending.lock();
    try {
      encrypted.clear();
      SSLEngineResult result;
      do {
        result = engine.wrap(ByteBuffer.allocate(0), encrypted);
      } while (result.bytesProduced() > 0
          && engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP
          && encrypted.remaining() >= record);
      send();
    } finally {
      sending.unlock();
    }
  }

  @Override
  public void write(ByteBuffer[] src, int count) throws IOException {
    sending.lock();
    try {
      int first = 0;
      while (true) {
        encrypted.clear();
        while (encrypted.remaining() >= record) {
          while (first < count && !src[first].hasRemaining()) {
            first++;
          }
          if (first == count) {
            break;
          }
          if (engine.wrap(src, first, count - first, encrypted).getStatus() == Status.CLOSED) {
            throw new SSLException("the connection is closed");
          }
        }
        if (encrypted.position() == 0) {
          return;
        }
        send();
      }
    } finally {
      sending.unlock();
    }
  }

  private void send() throws IOException {
    outgoing[0] = encrypted.flip();
    below.write(outgoing, 1);
  }

  @Override
  public void finish() throws IOException {
    engine.closeOutbound();
    sendOwn();
    below.finish();
  }

  @Override
  public void endInput() throws IOException {
    below.endInput();
  }

  @Override
  public void close() throws IOException {
    below.close();
  }
}
