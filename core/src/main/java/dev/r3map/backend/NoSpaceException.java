package dev.r3map.backend;

import java.io.IOException;

/** There is no room for the bytes: a full disk or quota, here or at the remote. */
public final class NoSpaceException extends IOException {
  private static final long serialVersionUID = 1L;

  public NoSpaceException(String message) {
    super(message);
  }
}
