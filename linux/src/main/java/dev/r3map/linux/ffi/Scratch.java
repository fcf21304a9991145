package dev.r3map.linux.ffi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Native memory for one call: where {@code errno} goes and a buffer for bytes that live on the
 * heap, which a system call cannot read. Taken, used by one thread, and given back; a few are kept.
 */
public final class Scratch {
  /** Large enough that the cost of a call does not count, small enough to keep. */
  private static final int BUFFER = 128 << 10;

  /** As many as calls run at once on most machines; further ones are made for one use. */
  private static final int KEPT = 16;

  private static final AtomicReferenceArray<Scratch> POOL = new AtomicReferenceArray<>(KEPT);

  private final MemorySegment errno;
  private final MemorySegment buffer;

  private Scratch() {
    // Freed by the collector, if it is not kept.
    Arena arena = Arena.ofAuto();
    errno = arena.allocate(Native.ERRNO);
    buffer = arena.allocate(BUFFER);
  }

  /** One that nobody else has. */
  public static Scratch take() {
    int slot = (int) Thread.currentThread().threadId() & (KEPT - 1);
    Scratch kept = POOL.getAndSet(slot, null);
    return kept != null ? kept : new Scratch();
  }

  /** Gives this back; not to be used afterwards. */
  public void giveBack() {
    POOL.setRelease((int) Thread.currentThread().threadId() & (KEPT - 1), this);
  }

  public MemorySegment errno() {
    return errno;
  }

  public MemorySegment buffer() {
    return buffer;
  }
}
