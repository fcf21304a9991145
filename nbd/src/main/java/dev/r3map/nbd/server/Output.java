package dev.r3map.nbd.server;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Replies that gather until it is worth sending them. Of one thread. */
final class Output {
  private static final int SIZE = 512 << 10;

  private final ReplyQueue queue;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(SIZE);
  private final MemorySegment bytes = MemorySegment.ofBuffer(buffer);
  private final ByteBuffer[] sending = {buffer};

  Output(ReplyQueue queue) {
    this.queue = queue;
  }

  /** To be appended to, at most so many bytes. */
  ByteBuffer reserve(int length) throws IOException {
    if (buffer.remaining() < length) {
      flush();
    }
    return buffer;
  }

  /** The same bytes as the buffer's. */
  MemorySegment bytes() {
    return bytes;
  }

  /** Sends what has gathered. */
  void flush() throws IOException {
    if (buffer.position() > 0) {
      buffer.flip();
      try {
        queue.write(sending, 1);
      } finally {
        buffer.clear();
      }
    }
  }
}
