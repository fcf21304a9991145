package dev.r3map.backend;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * Code that reads and writes a resource: a fixed number of bytes that live somewhere else.
 *
 * <p>The contract, which {@code r3map-testkit}'s conformance kit proves:
 *
 * <ul>
 *   <li>Safe for any number of concurrent callers. Calls block; callers use virtual threads.
 *   <li>Whole or exception: {@link #read} fills the buffer, {@link #write} drains it. There are no
 *       short reads or writes.
 *   <li>A range outside {@code [0, size)} is an {@link IndexOutOfBoundsException} before any I/O.
 *   <li>A byte that was never written reads as zero.
 *   <li>A plain {@link IOException} may be transient and is worth another try; a {@link
 *       PermanentIOException} is not.
 *   <li>An interrupt of the calling thread may fail that call, never another one, and stays visible
 *       to the caller.
 *   <li>After {@link #close} every call fails with an {@link IOException}.
 * </ul>
 */
public interface Backend extends AutoCloseable {

  /** The resource's size in bytes, {@code >= 0}; the same for the life of this object. */
  long size() throws IOException;

  /**
   * Fills the remaining space of {@code dst} with the bytes at {@code offset}.
   *
   * @param dst heap or direct; its position is at its limit afterwards, unspecified on failure
   * @param offset in bytes, {@code >= 0}
   * @throws IndexOutOfBoundsException if the range does not lie within the resource
   * @throws IOException if not every byte could be read
   */
  void read(ByteBuffer dst, long offset) throws IOException;

  /**
   * Writes the remaining bytes of {@code src} at {@code offset}. They are durable after the next
   * {@link #sync}.
   *
   * @throws IndexOutOfBoundsException if the range does not lie within the resource
   * @throws ReadOnlyException if the resource cannot be written
   * @throws IOException if not every byte could be written; which were is unspecified
   */
  void write(ByteBuffer src, long offset) throws IOException;

  /** Returns when everything written before the call is durable. */
  void sync() throws IOException;

  /** Limits and preferences of this resource; constant for the life of this object. */
  default Geometry geometry() throws IOException {
    return Geometry.ANY;
  }

  /**
   * Says that the bytes of a range are not needed any more. They read as zeros or as they were; the
   * default does nothing.
   */
  default void discard(long offset, long length) throws IOException {
    Ranges.check(offset, length, size());
  }

  /** Makes a range read as zeros, freeing space where that is possible. */
  default void zero(long offset, long length) throws IOException {
    Ranges.check(offset, length, size());
    Ranges.writeZeros(this, offset, length);
  }

  /**
   * Tells data from holes (which read as zeros), from {@code offset} on, in order and without gaps.
   * The answer may end before {@code offset + length} but is never empty for a range that is not:
   * ask again from where it ended. The default knows nothing and says that all is data.
   */
  default List<Extent> extents(long offset, long length) throws IOException {
    Ranges.check(offset, length, size());
    return length == 0 ? List.of() : List.of(Extent.data(offset, length));
  }

  /**
   * What changes when somebody else replaces the resource (an ETag, a version, an inode) and does
   * not when this object writes to it, if there is such a thing. Never holds a credential.
   */
  default Optional<String> identity() throws IOException {
    return Optional.empty();
  }

  /** Lets go of everything this object owns; idempotent. Calls in flight fail. */
  @Override
  void close() throws IOException;

  /** The resource's name for messages, without any credential. */
  @Override
  String toString();
}
