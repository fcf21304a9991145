package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.backend.ResourceChangedException;
import java.io.IOException;

/**
 * Words failures alike: action, resource, offset, length, cause. Keeps the type that callers map.
 */
final class Failures {
  private Failures() {}

  static IOException reading(Backend remote, long offset, long length, IOException cause) {
    return of("read", remote, offset, length, cause);
  }

  static IOException writing(Backend remote, long offset, long length, IOException cause) {
    return of("write", remote, offset, length, cause);
  }

  static IOException syncing(Backend remote, IOException cause) {
    return wrap("cannot sync %s: %s".formatted(remote, message(cause)), cause);
  }

  private static IOException of(
      String action, Backend remote, long offset, long length, IOException cause) {
    return wrap(
        "cannot %s %s (offset=%d, length=%d): %s"
            .formatted(action, remote, offset, length, message(cause)),
        cause);
  }

  private static IOException wrap(String message, IOException cause) {
    IOException wrapped =
        switch (cause) {
          case NoSpaceException e -> new NoSpaceException(message);
          case ResourceChangedException e -> new ResourceChangedException(message);
          case ReadOnlyException e -> new ReadOnlyException(message);
          case PermanentIOException e -> new PermanentIOException(message);
          default -> new IOException(message);
        };
    wrapped.initCause(cause);
    return wrapped;
  }

  private static String message(IOException cause) {
    String message = cause.getMessage();
    return message != null ? message : cause.getClass().getSimpleName();
  }
}
