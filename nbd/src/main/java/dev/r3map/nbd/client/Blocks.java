package dev.r3map.nbd.client;

import dev.r3map.backend.Extent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Any bytes of an export that takes whole blocks only: what is not whole is read, changed and
 * written back, while nobody else writes there. The end of the export ends its last block.
 */
public final class Blocks {
  private final RemoteExport export;
  private final BlockLocks locks = new BlockLocks();
  private final long size;
  private final int block;
  private final long patienceNanos;

  /**
   * @param patienceNanos for how long to wait for others that write to the same blocks
   */
  public Blocks(RemoteExport export, long patienceNanos) {
    this.export = export;
    this.size = export.terms().size();
    this.block = export.terms().limits().minimum();
    this.patienceNanos = patienceNanos;
  }

  private interface Part {
    void move(ByteBuffer buffer, long offset) throws IOException;
  }

  public void read(ByteBuffer dst, long offset) throws IOException {
    parts(dst, offset, this::readPart, export::read);
  }

  public void write(ByteBuffer src, long offset) throws IOException {
    if (block == 1) {
      export.write(src, offset);
      return;
    }
    long end = offset + src.remaining();
    boolean whole = down(offset) == offset && up(end) == end;
    try (var _ = locks.hold(down(offset), up(end), !whole, patienceNanos)) {
      parts(src, offset, this::writePart, export::write);
    }
  }

  /** Zeros the whole blocks of a range by a request, and the rest by writing. */
  public void zero(long offset, long length) throws IOException {
    long end = offset + length;
    long first = Math.min(up(offset), end);
    long last = Math.max(down(end), first);
    last = end == size ? end : last;
    write(ByteBuffer.allocate((int) (first - offset)), offset);
    if (last > first) {
      try (var _ = locks.hold(first, last, false, patienceNanos)) {
        export.zero(first, last - first);
      }
    }
    write(ByteBuffer.allocate((int) (end - last)), last);
  }

  /** Discards the whole blocks of a range. */
  public void discard(long offset, long length) throws IOException {
    long first = up(offset);
    long last = offset + length == size ? size : down(offset + length);
    if (last > first) {
      try (var _ = locks.hold(first, last, false, patienceNanos)) {
        export.discard(first, last - first);
      }
    }
  }

  public List<Extent> extents(long offset, long length) throws IOException {
    long end = offset + length;
    List<Extent> cut = new ArrayList<>();
    for (Extent extent : export.extents(down(offset), up(end) - down(offset))) {
      long from = Math.max(extent.offset(), offset);
      long to = Math.min(extent.end(), end);
      if (from < to) {
        cut.add(new Extent(from, to - from, extent.hole()));
      }
    }
    return cut;
  }

  /** The two ends of a range that are parts of blocks, and the whole blocks between them. */
  private void parts(ByteBuffer buffer, long offset, Part part, Part whole) throws IOException {
    int start = buffer.position();
    int length = buffer.remaining();
    long end = offset + length;
    for (long at = offset; at < end; ) {
      boolean isWhole = down(at) == at && up(at + 1) <= end;
      long to = isWhole ? (up(end) == end ? end : down(end)) : Math.min(up(at + 1), end);
      ByteBuffer some = buffer.slice(start + (int) (at - offset), (int) (to - at));
      if (isWhole) {
        whole.move(some, at);
      } else {
        part.move(some, at);
      }
      at = to;
    }
    buffer.position(start + length);
  }

  private void readPart(ByteBuffer dst, long offset) throws IOException {
    dst.put(readBlock(offset).slice((int) (offset - down(offset)), dst.remaining()));
  }

  private void writePart(ByteBuffer src, long offset) throws IOException {
    ByteBuffer whole = readBlock(offset);
    whole.slice((int) (offset - down(offset)), src.remaining()).put(src);
    export.write(whole, down(offset));
  }

  private ByteBuffer readBlock(long offset) throws IOException {
    long first = down(offset);
    ByteBuffer whole = ByteBuffer.allocate((int) (up(offset + 1) - first));
    export.read(whole, first);
    return whole.flip();
  }

  private long down(long offset) {
    return offset & -(long) block;
  }

  private long up(long offset) {
    return Math.min((offset + block - 1) & -(long) block, size);
  }
}
