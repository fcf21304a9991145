package dev.r3map.nbd.client;

import java.io.IOException;

/** The server breaks the protocol. */
final class MalformedException extends IOException {
  private static final long serialVersionUID = 1L;

  MalformedException(String message) {
    super(message);
  }
}
