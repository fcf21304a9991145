package dev.r3map.grpc;

import java.io.IOException;

/** A message that is not what its proto file says. */
final class MalformedException extends IOException {
  private static final long serialVersionUID = 1L;

  MalformedException(String message) {
    super(message);
  }
}
