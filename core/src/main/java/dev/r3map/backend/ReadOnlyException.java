package dev.r3map.backend;

/** A write to a resource that cannot be written. */
public final class ReadOnlyException extends PermanentIOException {
  private static final long serialVersionUID = 1L;

  public ReadOnlyException(String message) {
    super(message);
  }
}
