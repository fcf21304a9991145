package dev.r3map.nbd.client;

import java.io.IOException;

/** The connection is gone, and with it the replies; another one may do. */
final class LostException extends IOException {
  private static final long serialVersionUID = 1L;

  LostException(String message, Throwable cause) {
    super(message, cause);
  }

  LostException(String message) {
    super(message);
  }
}
