package dev.r3map;

/**
 * Where a region stands.
 *
 * @param size bytes in all
 * @param local bytes that are here; {@code size} when everything is
 * @param dirty bytes written here and not pushed yet
 * @param pulling whether the background pull is still at work
 */
public record Progress(long size, long local, long dirty, boolean pulling) {
  /** From 0 to 1; 1 for an empty region. */
  public double fractionLocal() {
    return size == 0 ? 1 : (double) local / size;
  }
}
