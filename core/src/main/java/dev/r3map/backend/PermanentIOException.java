package dev.r3map.backend;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A failure that another try cannot mend: refused credentials, a broken protocol, a bad name. */
public class PermanentIOException extends IOException {
  private static final long serialVersionUID = 1L;

  public PermanentIOException(String message) {
    super(message);
  }

  public PermanentIOException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
