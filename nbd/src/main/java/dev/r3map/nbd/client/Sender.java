package dev.r3map.nbd.client;

import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_PAYLOAD_LEN;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REQUEST_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.REQUEST_MAGIC;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

/**
 * Sends the requests of one connection: all that have gathered by one call. A thread of its own
 * does it and not the callers, because an interrupt closes the channel that a thread writes to, and
 * with it everybody's connection.
 */
final class Sender {
  private static final int CAPACITY = 128 << 10;

  /** A payload from this size on is sent from where it is. */
  private static final int LARGE = 16 << 10;

  /** What goes out by one call, so that a slow line still shows progress. */
  private static final int SLICE = 512 << 10;

  private final Wire wire;
  private final Mode mode;
  private final Slots slots;
  private final ConcurrentLinkedQueue<Request> queue = new ConcurrentLinkedQueue<>();
  private final ByteBuffer gathered = ByteBuffer.allocateDirect(CAPACITY);
  private final ByteBuffer[] parts = new ByteBuffer[2];
  private volatile boolean idle;
  private volatile boolean stopped;
  private volatile long progress = System.nanoTime();

  Sender(Wire wire, Mode mode, Slots slots) {
    this.wire = wire;
    this.mode = mode;
    this.slots = slots;
  }

  /** When something went out last. */
  long progress() {
    return progress;
  }

  /** Sends a request soon; {@code thread} is the one that runs {@link #run}. */
  void send(Request request, Thread thread) {
    queue.add(request);
    if (idle) {
      LockSupport.unpark(thread);
    }
  }

  /** Ends {@link #run}; what is still to be sent stays unsent. */
  void stop(Thread thread) {
    stopped = true;
    LockSupport.unpark(thread);
  }

  /** Sends until it is stopped or the connection fails. */
  void run() throws IOException {
    while (!stopped) {
      Request request = queue.poll();
      if (request != null) {
        add(request);
      } else if (gathered.position() > 0) {
        flush();
      } else {
        idle = true;
        if (queue.isEmpty() && !stopped) {
          LockSupport.park(this);
        }
        idle = false;
      }
    }
  }

  private void add(Request request) throws IOException {
    if (gathered.remaining() < mode.requestHeader()) {
      flush();
    }
    boolean extended = mode == Mode.EXTENDED;
    int flags = extended && request.type == CMD_WRITE ? CMD_FLAG_PAYLOAD_LEN : 0;
    gathered
        .putInt(extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC)
        .putShort((short) flags)
        .putShort((short) request.type)
        .putLong(request.cookie)
        .putLong(request.offset);
    if (extended) {
      gathered.putLong(request.length);
    } else {
      gathered.putInt((int) request.length);
    }
    ByteBuffer payload = request.payload;
    if (request.type == CMD_WRITE && payload != null) {
      add(payload.duplicate());
      if (request.sent()) {
        slots.finish(request);
      }
    }
  }

  private void add(ByteBuffer payload) throws IOException {
    if (payload.isDirect() && payload.remaining() >= LARGE) {
      int end = payload.limit();
      while (payload.position() < end) {
        payload.limit(Math.min(payload.position() + SLICE, end));
        parts[0] = gathered.flip();
        parts[1] = payload;
        write(2);
      }
      return;
    }
    // For a heap buffer the JDK would take a direct one of its size.
    while (payload.hasRemaining()) {
      if (!gathered.hasRemaining()) {
        flush();
      }
      int bytes = Math.min(payload.remaining(), gathered.remaining());
      gathered.put(gathered.position(), payload, payload.position(), bytes);
      gathered.position(gathered.position() + bytes);
      payload.position(payload.position() + bytes);
    }
  }

  private void flush() throws IOException {
    parts[0] = gathered.flip();
    write(1);
  }

  private void write(int count) throws IOException {
    wire.write(parts, count);
    gathered.clear();
    progress = System.nanoTime();
  }
}
