package dev.r3map.nbd.server;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;

/** What has come and was not looked at yet. Of one thread. */
final class Input {
  private static final int SIZE = 256 << 10;

  private final TimedWire wire;
  private final Output output;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(SIZE).flip();

  /**
   * @param output flushed before anything is waited for
   */
  Input(TimedWire wire, Output output) {
    this.wire = wire;
    this.output = output;
  }

  /** To be taken from. */
  ByteBuffer buffer() {
    return buffer;
  }

  /** Whether so many bytes are there to be taken; false at the end. */
  boolean await(int bytes) throws IOException {
    while (buffer.remaining() < bytes) {
      output.flush();
      buffer.compact();
      int read;
      try {
        read = wire.read(buffer);
      } finally {
        buffer.flip();
      }
      if (read < 0) {
        if (buffer.hasRemaining()) {
          throw cut();
        }
        return false;
      }
    }
    return true;
  }

  /** Waits for more than is there. */
  void awaitMore() throws IOException {
    if (!await(buffer.remaining() + 1)) {
      throw cut();
    }
  }

  /** Fills {@code dst}. */
  void readFully(ByteBuffer dst) throws IOException {
    int here = Math.min(buffer.remaining(), dst.remaining());
    dst.put(dst.position(), buffer, buffer.position(), here).position(dst.position() + here);
    buffer.position(buffer.position() + here);
    if (dst.hasRemaining()) {
      output.flush();
      wire.readFully(dst);
    }
  }

  /** Takes bytes that nobody wants. */
  void skip(long bytes) throws IOException {
    for (long left = bytes; left > 0; ) {
      if (!buffer.hasRemaining()) {
        awaitMore();
      }
      int here = (int) Math.min(buffer.remaining(), left);
      buffer.position(buffer.position() + here);
      left -= here;
    }
  }

  private static EOFException cut() {
    return new EOFException("the connection ended in the middle of a request");
  }
}
