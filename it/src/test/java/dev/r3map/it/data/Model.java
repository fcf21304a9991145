package dev.r3map.it.data;

import dev.r3map.testkit.Payload;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/** What a file must hold: zeros at first, of any size, in pages that exist once written to. */
final class Model {
  private static final int PAGE = 64 << 10;
  private static final byte[] ZEROS = new byte[PAGE];

  private final long size;
  private final Map<Long, byte[]> pages = new HashMap<>();

  Model(long size) {
    this.size = size;
  }

  long size() {
    return size;
  }

  /** Writes the bytes that this payload has there. */
  void write(long offset, int length, long payload) {
    byte[] bytes = new byte[length];
    Payload.of(payload).fill(ByteBuffer.wrap(bytes), offset);
    for (int done = 0; done < length; ) {
      long at = offset + done;
      int from = (int) (at % PAGE);
      int count = Math.min(PAGE - from, length - done);
      System.arraycopy(
          bytes, done, pages.computeIfAbsent(at / PAGE, _ -> new byte[PAGE]), from, count);
      done += count;
    }
  }

  /**
   * Fails if there are not as many bytes as there should be, or others.
   *
   * @param where who has them, for the message
   */
  void verify(String where, byte[] actual, long offset, int expectedLength) {
    if (actual.length != expectedLength) {
      throw new AssertionError(
          "%s has %d bytes at %d, not %d".formatted(where, actual.length, offset, expectedLength));
    }
    verify(where, ByteBuffer.wrap(actual), offset);
  }

  /** Fails if bytes are not what they should be. */
  void verify(String where, ByteBuffer actual, long offset) {
    int length = actual.remaining();
    for (int done = 0; done < length; ) {
      long at = offset + done;
      int from = (int) (at % PAGE);
      int count = Math.min(PAGE - from, length - done);
      byte[] page = pages.getOrDefault(at / PAGE, ZEROS);
      ByteBuffer part = actual.slice(actual.position() + done, count);
      int wrong = part.mismatch(ByteBuffer.wrap(page, from, count));
      if (wrong >= 0) {
        throw new AssertionError(
            "%s has 0x%02x at %d, not 0x%02x (range %d+%d)"
                .formatted(where, part.get(wrong), at + wrong, page[from + wrong], offset, length));
      }
      done += count;
    }
  }
}
