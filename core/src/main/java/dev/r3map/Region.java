package dev.r3map;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.time.Duration;
import java.util.concurrent.TimeoutException;

/**
 * An open resource, seen locally: byte ranges at any offset, of any length.
 *
 * <p>Thread-safe. Owns threads, memory and descriptors until {@link #close}.
 */
public interface Region extends AutoCloseable {

  /** In bytes; never changes. */
  long size();

  /** True if {@link #write} always fails. */
  boolean readOnly();

  /**
   * Fills the remaining space of {@code dst} with the bytes at {@code offset}, waiting for those
   * that are not local for as long as the io timeout.
   *
   * @throws IndexOutOfBoundsException if the range does not lie within the region
   * @throws IOException if not every byte could be had; names resource, offset and cause
   */
  void read(ByteBuffer dst, long offset) throws IOException;

  /**
   * Writes the remaining bytes of {@code src} at {@code offset}. They are seen by every frontend at
   * once and are durable after {@link #sync}.
   *
   * @throws IndexOutOfBoundsException if the range does not lie within the region
   * @throws dev.r3map.backend.ReadOnlyException if the region cannot be written
   * @throws dev.r3map.backend.NoSpaceException if the local disk is full
   */
  void write(ByteBuffer src, long offset) throws IOException;

  /**
   * Returns when everything written before the call is durable at the remote.
   *
   * @throws IOException if it is not; nothing is lost, and the next call tries again
   */
  void sync() throws IOException;

  /**
   * Does what an fsync of a frontend does: {@link #sync}, or with local durability returns once the
   * local store and its journal are on the disk.
   */
  void flush() throws IOException;

  /** How much is local and how much is not pushed yet, to the byte. */
  Progress progress();

  /**
   * Waits until at least {@code fraction} (0 to 1) of the bytes are local.
   *
   * @throws TimeoutException if that takes longer
   * @throws UnsupportedOperationException for a direct mount, where nothing is ever local
   */
  void awaitLocal(double fraction, Duration timeout)
      throws IOException, InterruptedException, TimeoutException;

  /**
   * Waits until a range is local, pulling it first.
   *
   * @throws TimeoutException if that takes longer
   * @throws UnsupportedOperationException for a direct mount, where nothing is ever local
   */
  void awaitLocal(long offset, long length, Duration timeout)
      throws IOException, InterruptedException, TimeoutException;

  /**
   * The region as a file, in process, with no kernel between. Closing it leaves the region open.
   */
  FileChannel file();

  /**
   * Closes the frontends, ends the calls in flight (those that wait for the remote fail), pushes
   * what is dirty, and lets go of everything; idempotent.
   *
   * @throws IOException if not everything could be pushed: says what stayed behind and where
   */
  @Override
  void close() throws IOException;
}
