package dev.r3map.spi;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The local bytes of a managed mount: as many as the resource has, sparse, zeros at first. Owns a
 * descriptor and, where it is mapped, a mapping; both end with {@link #close}, which the owner
 * calls once nothing uses them.
 *
 * <p>Writes go through {@link #write} and not through the mapping, because a write can report that
 * there is no room and a store to a mapped page cannot. Both see the same bytes at once.
 * Thread-safe; an interrupt of a calling thread does no harm.
 */
public interface LocalStorage extends AutoCloseable {

  long size();

  /** All bytes as read-only memory, if this storage is mapped. */
  Optional<MemorySegment> mapping();

  /** Fills {@code dst} from {@code offset}. */
  void read(ByteBuffer dst, long offset) throws IOException;

  /**
   * Drains {@code src} to {@code offset}.
   *
   * @throws dev.r3map.backend.NoSpaceException if there is no room
   */
  void write(ByteBuffer src, long offset) throws IOException;

  /**
   * The same for a range of which every byte was written before and not punched since, so that
   * there is room: memory can be written then without a system call.
   */
  default void overwrite(ByteBuffer src, long offset) throws IOException {
    write(src, offset);
  }

  /** Frees the space of a range, which reads as zeros afterwards. */
  void punch(long offset, long length) throws IOException;

  /**
   * Returns when everything written before is on the disk; does nothing for memory. Where bytes may
   * have been lost it fails ever after.
   */
  void force() throws IOException;

  /** The descriptor to hand to the kernel, if there is one; valid until {@link #close}. */
  OptionalInt descriptor();

  @Override
  void close() throws IOException;
}
