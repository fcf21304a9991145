package dev.r3map.backend;

/**
 * What sizes a backend takes and likes.
 *
 * @param requiredChunk offsets and lengths must be multiples of this many bytes (the end of the
 *     resource excepted); 1 if any will do
 * @param preferredChunk the transfer size in bytes that works best; 0 if there is none
 * @param maxTransfer the most bytes one call may carry
 * @param readOnly true if {@code write} always fails
 */
public record Geometry(int requiredChunk, int preferredChunk, int maxTransfer, boolean readOnly) {
  /** Takes everything. */
  public static final Geometry ANY = new Geometry(1, 0, Integer.MAX_VALUE, false);

  public Geometry {
    if (requiredChunk < 1 || preferredChunk < 0 || maxTransfer < requiredChunk) {
      throw new IllegalArgumentException(
          "bad geometry: required=%d, preferred=%d, max=%d"
              .formatted(requiredChunk, preferredChunk, maxTransfer));
    }
  }

  /** The same sizes, for a resource that cannot be written. */
  public Geometry asReadOnly() {
    return new Geometry(requiredChunk, preferredChunk, maxTransfer, true);
  }
}
