package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.EINVAL;
import static dev.r3map.nbd.protocol.Transmission.EIO;
import static dev.r3map.nbd.protocol.Transmission.ENOMEM;
import static dev.r3map.nbd.protocol.Transmission.ENOSPC;
import static dev.r3map.nbd.protocol.Transmission.EPERM;
import static dev.r3map.nbd.protocol.Transmission.ESHUTDOWN;

import dev.r3map.backend.ReadOnlyException;
import dev.r3map.internal.NoSpace;
import java.io.IOException;

/** What a client is told of what went wrong in a backend. */
final class Failures {
  private Failures() {}

  /** One of the errors that the specification has. */
  static int error(Throwable failure) {
    return switch (failure) {
      case ReadOnlyException _ -> EPERM;
      case IndexOutOfBoundsException _ -> EINVAL;
      case OutOfMemoryError _ -> ENOMEM;
      case InterruptedException _ -> ESHUTDOWN;
      case IOException e when NoSpace.isIn(e) -> ENOSPC;
      default -> EIO;
    };
  }

  /** For people; backends keep credentials out of it. */
  static String message(Throwable failure) {
    String message = failure.getMessage();
    return message == null ? failure.toString() : message;
  }
}
