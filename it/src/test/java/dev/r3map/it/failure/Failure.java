package dev.r3map.it.failure;

import dev.r3map.backend.PermanentIOException;
import java.io.IOException;

/** What a call may end with that a test makes fail. */
enum Failure {
  TRANSIENT,
  PERMANENT,
  BUG,
  ERROR;

  Throwable make() {
    return switch (this) {
      case TRANSIENT -> new IOException("injected");
      case PERMANENT -> new PermanentIOException("injected");
      case BUG -> new IllegalStateException("injected");
      case ERROR -> new LinkageError("injected");
    };
  }

  /** Whether only a method that declares it can end with it. */
  boolean isChecked() {
    return this == TRANSIENT || this == PERMANENT;
  }

  /** Ends a call so. */
  void raise() throws IOException {
    switch (make()) {
      case IOException e -> throw e;
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      case Throwable e -> throw new AssertionError(e);
    }
  }
}
