package dev.r3map.nbd.wire;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A connection. One thread reads and one at a time writes, both blocking; any thread may close it,
 * which ends their calls.
 */
public interface Wire extends AutoCloseable {

  /** Reads at least one byte, unless {@code dst} is full; -1 at the end. */
  int read(ByteBuffer dst) throws IOException;

  /** Writes everything that is left in the first {@code count} buffers. */
  void write(ByteBuffer[] src, int count) throws IOException;

  /** Tells the peer that no more comes, as far as the wire can say that. */
  void finish() throws IOException;

  /** Reading ends here, also for a thread that waits in it. */
  void endInput() throws IOException;

  @Override
  void close() throws IOException;

  /** Fills {@code dst}. */
  default void readFully(ByteBuffer dst) throws IOException {
    while (dst.hasRemaining()) {
      if (read(dst) < 0) {
        throw new EOFException("the connection ended in the middle of a message");
      }
    }
  }
}
