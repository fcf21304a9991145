package dev.r3map.grpc;

import dev.r3map.internal.WriteLog;
import java.io.IOException;

/** What was tried, in the words of messages. */
final class Actions {
  private Actions() {}

  static String read(long offset, long length) {
    return of("read", offset, length);
  }

  static String write(long offset, long length) {
    return of("write", offset, length);
  }

  static String of(String verb, long offset, long length) {
    return verb + " (offset=" + offset + ", length=" + length + ")";
  }

  static void refuseIfLost(WriteLog log, String resource) throws IOException {
    long lost = log.lostBytes();
    if (lost > 0) {
      throw new IOException(
          "cannot sync %s: the server restarted since %d bytes were written to it; write them again"
              .formatted(resource, lost));
    }
  }
}
