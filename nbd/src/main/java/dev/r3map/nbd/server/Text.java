package dev.r3map.nbd.server;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Messages for people, as they travel. */
final class Text {
  private Text() {}

  /** The UTF-8 of a message, or of so much of its beginning as fits. */
  static ByteBuffer encode(String message, int most) {
    byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
    int length = Math.min(bytes.length, most);
    // Not in the middle of a character.
    while (length < bytes.length && (bytes[length] & 0xc0) == 0x80) {
      length--;
    }
    return ByteBuffer.wrap(bytes, 0, length);
  }
}
