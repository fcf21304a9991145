package dev.r3map.nbd.client;

import dev.r3map.nbd.wire.Wire;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;

/** What a server sends, read ahead as far as that saves calls and copies nothing large. */
final class Input {
  /** Replies of 4 KiB that one call receives: 32. */
  private static final int CAPACITY = 128 << 10;

  /** A payload from this size on is worth a call of its own instead of a copy. */
  private static final int LARGE = 32 << 10;

  /** Header and offset of an extended reply with data. */
  private static final int LONGEST_HEADER = 40;

  private final Wire wire;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(CAPACITY).limit(0);

  /** The last payload was large, and so may be the next. */
  private boolean large;

  private volatile long progress = System.nanoTime();

  Input(Wire wire) {
    this.wire = wire;
  }

  /** When something came last. */
  long progress() {
    return progress;
  }

  /** A buffer with so many bytes to be read; valid until the next call. */
  ByteBuffer take(int bytes) throws IOException {
    if (buffer.remaining() < bytes) {
      buffer.compact();
      while (buffer.position() < bytes) {
        if (large) {
          buffer.limit(Math.max(bytes, LONGEST_HEADER));
        }
        receive(buffer);
      }
      buffer.flip();
    }
    return buffer;
  }

  /** Fills {@code dst}. */
  void fill(ByteBuffer dst) throws IOException {
    large = dst.remaining() >= LARGE && dst.isDirect();
    copy(dst);
    while (dst.hasRemaining()) {
      if (large) {
        receive(dst);
      } else {
        // Through our own buffer: for a heap buffer the JDK would take a direct one of its size.
        receive(buffer.clear());
        buffer.flip();
        copy(dst);
      }
    }
  }

  void skip(long bytes) throws IOException {
    for (long left = bytes; left > 0; ) {
      int step = (int) Math.min(left, CAPACITY);
      ByteBuffer some = take(step);
      some.position(some.position() + step);
      left -= step;
    }
  }

  private void copy(ByteBuffer dst) {
    int bytes = Math.min(buffer.remaining(), dst.remaining());
    dst.put(dst.position(), buffer, buffer.position(), bytes).position(dst.position() + bytes);
    buffer.position(buffer.position() + bytes);
  }

  private void receive(ByteBuffer dst) throws IOException {
    if (wire.read(dst) < 0) {
      throw new EOFException("the server ended the connection");
    }
    progress = System.nanoTime();
  }
}
