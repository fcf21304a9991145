package dev.r3map.backend;

import dev.r3map.internal.Gate;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.Platform;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Bytes in memory, of any size: space is taken, in blocks of 4 KiB, only for what was written and
 * is given back for what was zeroed or discarded. Owns that memory until {@link #close}, which lets
 * calls in flight finish first.
 *
 * <p>No call takes a lock. The memory comes from the {@link Platform} and not from the Java heap;
 * the heap holds one bit for each block, 32 KiB for each GiB.
 */
public final class MemoryBackend implements Backend {
  /** A page: what the platform takes and frees. */
  private static final int BLOCK_SHIFT = 12;

  private static final int BLOCK = 1 << BLOCK_SHIFT;

  /** Enough for one question to be worth its cost, and little enough to be no burden. */
  private static final int MAX_EXTENTS = 1024;

  private final long size;
  private final LocalStorage storage;

  /**
   * One bit for each block: set if it holds bytes, clear if it is a hole, which must not be read
   * because touching a page takes it. Set after the bytes are there and cleared before they are
   * freed; so the bytes of a block whose bit is clear are zeros, or a call that makes them so is in
   * flight.
   */
  private final AtomicLongArray written;

  private final String identity = "memory-" + UUID.randomUUID();
  private final Gate gate = new Gate();
  private final AtomicBoolean closed = new AtomicBoolean();

  private MemoryBackend(long size) throws IOException {
    this.size = size;
    this.written = new AtomicLongArray(Math.toIntExact((size >>> (BLOCK_SHIFT + 6)) + 1));
    this.storage = Platform.current().memory(Math.max(1, size));
  }

  /**
   * {@code size} zeros.
   *
   * @throws IOException if the platform refuses so much address space
   */
  public static MemoryBackend of(long size) throws IOException {
    if (size < 0) {
      throw new IllegalArgumentException("negative size: " + size);
    }
    return new MemoryBackend(size);
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    Ranges.check(offset, dst.remaining(), size);
    enter();
    int limit = dst.limit();
    try {
      long end = offset + dst.remaining();
      for (long at = offset; at < end; ) {
        boolean hole = isHole(at);
        long runEnd = runEnd(at, end, hole);
        dst.limit(dst.position() + (int) (runEnd - at));
        if (hole) {
          MemorySegment.ofBuffer(dst).fill((byte) 0);
          dst.position(dst.limit());
        } else {
          storage.read(dst, at);
        }
        at = runEnd;
      }
    } finally {
      dst.limit(limit);
      gate.leave();
    }
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    long end = offset + src.remaining();
    Ranges.check(offset, src.remaining(), size);
    enter();
    try {
      if (offset < end) {
        try {
          if (!isHole(offset) && runEnd(offset, end, false) == end) {
            storage.overwrite(src, offset);
          } else {
            storage.write(src, offset);
          }
        } finally {
          mark(offset >>> BLOCK_SHIFT, ((end - 1) >>> BLOCK_SHIFT) + 1, true);
        }
      }
    } finally {
      gate.leave();
    }
  }

  /** Does nothing: there is nothing more durable than this memory. */
  @Override
  public void sync() throws IOException {
    enter();
    gate.leave();
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    zero(offset, length);
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    Ranges.check(offset, length, size);
    enter();
    try {
      long end = offset + length;
      // A short last block counts as whole: nothing lies behind it.
      long from = Math.min(roundUp(offset), end);
      long to = end == size ? end : Math.max(from, end & -BLOCK);
      zeroPartOfBlock(offset, from);
      free(from, to);
      zeroPartOfBlock(to, end);
    } finally {
      gate.leave();
    }
  }

  private void zeroPartOfBlock(long from, long to) throws IOException {
    if (from < to && !isHole(from)) {
      storage.write(ByteBuffer.allocate((int) (to - from)), from);
    }
  }

  private void free(long from, long to) throws IOException {
    for (long at = from; at < to; ) {
      boolean hole = isHole(at);
      long runEnd = runEnd(at, to, hole);
      if (!hole) {
        mark(at >>> BLOCK_SHIFT, roundUp(runEnd) >>> BLOCK_SHIFT, false);
        storage.punch(at, runEnd - at);
      }
      at = runEnd;
    }
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    Ranges.check(offset, length, size);
    enter();
    try {
      long end = offset + length;
      List<Extent> extents = new ArrayList<>();
      for (long at = offset; at < end && extents.size() < MAX_EXTENTS; ) {
        boolean hole = isHole(at);
        long runEnd = runEnd(at, end, hole);
        extents.add(new Extent(at, runEnd - at, hole));
        at = runEnd;
      }
      return extents;
    } finally {
      gate.leave();
    }
  }

  /** Its own for each object: what another one held is gone, so that a cache of it is worthless. */
  @Override
  public Optional<String> identity() {
    return Optional.of(identity);
  }

  @Override
  public void close() throws IOException {
    if (closed.compareAndSet(false, true)) {
      gate.shut();
      gate.drain();
      storage.close();
    }
  }

  @Override
  public String toString() {
    return "memory:" + Sizes.format(size);
  }

  private void enter() throws IOException {
    if (!gate.enter()) {
      throw new PermanentIOException(this + " is closed");
    }
  }

  private static long roundUp(long offset) {
    return (offset + BLOCK - 1) & -BLOCK;
  }

  private boolean isHole(long offset) {
    long block = offset >>> BLOCK_SHIFT;
    return (written.get((int) (block >>> 6)) & (1L << block)) == 0;
  }

  /**
   * Where the run of blocks of one kind that begins at {@code offset} ends, {@code end} at most.
   * The first block counts as of that kind even if a concurrent call has changed it since.
   */
  private long runEnd(long offset, long end, boolean hole) {
    long flip = hole ? 0 : -1;
    long last = (end - 1) >>> BLOCK_SHIFT;
    for (long at = (offset >>> BLOCK_SHIFT) + 1; at <= last; at = (at | 63) + 1) {
      long others = (written.get((int) (at >>> 6)) ^ flip) & (-1L << at);
      if (others != 0) {
        long other = (at & -64L) + Long.numberOfTrailingZeros(others);
        return Math.min(end, other << BLOCK_SHIFT);
      }
    }
    return end;
  }

  /** Sets or clears the bits of the blocks in {@code [from, to)}. */
  private void mark(long from, long to, boolean value) {
    for (long at = from; at < to; at = (at | 63) + 1) {
      int word = (int) (at >>> 6);
      long upTo = to - (at & -64L) >= 64 ? -1L : (1L << to) - 1;
      long mask = (-1L << at) & upTo;
      // Most writes are overwrites: they only look, and leave the cache line shared.
      if (value && (written.get(word) & mask) != mask) {
        written.getAndAccumulate(word, mask, (old, bits) -> old | bits);
      } else if (!value) {
        written.getAndAccumulate(word, mask, (old, bits) -> old & ~bits);
      }
    }
  }
}
