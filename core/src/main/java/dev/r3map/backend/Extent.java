package dev.r3map.backend;

/**
 * A run of bytes of one kind.
 *
 * @param offset in bytes
 * @param length in bytes, {@code > 0}
 * @param hole true if the run reads as zeros and takes no space
 */
public record Extent(long offset, long length, boolean hole) {
  public Extent {
    if (offset < 0 || length <= 0) {
      throw new IllegalArgumentException("bad extent: offset=" + offset + ", length=" + length);
    }
  }

  /** A run that must be read to be known. */
  public static Extent data(long offset, long length) {
    return new Extent(offset, length, false);
  }

  /** A run that reads as zeros. */
  public static Extent hole(long offset, long length) {
    return new Extent(offset, length, true);
  }

  /** The first byte after the run. */
  public long end() {
    return offset + length;
  }
}
