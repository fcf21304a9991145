package dev.r3map.backend;

/** The resource is not the one that was opened: its size or identity differs. */
public final class ResourceChangedException extends PermanentIOException {
  private static final long serialVersionUID = 1L;

  public ResourceChangedException(String message) {
    super(message);
  }
}
