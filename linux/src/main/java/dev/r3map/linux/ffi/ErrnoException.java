package dev.r3map.linux.ffi;

import java.io.IOException;

/** A system call failed. */
public final class ErrnoException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  /**
   * Says what failed and why.
   *
   * @param action what was tried, on what: {@code open film.mp4}
   */
  public ErrnoException(String action, int errno) {
    super(action + ": " + Errno.text(errno));
    this.errno = errno;
  }

  /** One of {@link Errno}. */
  public int errno() {
    return errno;
  }
}
