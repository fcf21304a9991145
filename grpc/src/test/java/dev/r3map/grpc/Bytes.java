package dev.r3map.grpc;

import dev.r3map.backend.Backend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;

/** Payload for tests. */
final class Bytes {
  private Bytes() {}

  static byte[] random(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  static byte[] read(Backend backend, long offset, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(length);
    backend.read(buffer, offset);
    return buffer.array();
  }

  static void write(Backend backend, long offset, byte[] bytes) throws IOException {
    backend.write(ByteBuffer.wrap(bytes), offset);
  }
}
