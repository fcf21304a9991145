package dev.r3map.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Reads and writes a backend within its geometry and checks with every call what must always hold.
 * Thread-safe.
 */
final class Probe {
  /** What a destination holds before: neither zeros nor, being even, bytes of a payload. */
  static final byte DIRT = (byte) 0xA4;

  private static final int MARGIN = 16;
  private static final int MAX_PIECE = 8 << 20;

  private static final int[] LENGTHS = {1, 511, 4096, 4097, 65_536, 262_146};
  private static final int[] OFFSETS = {0, 1, 4095, 4096, 65_535, 262_143, 262_144, 524_289};

  private final Backend backend;
  private final long size;
  private final int unit;
  private final int piece;
  private final AtomicInteger calls = new AtomicInteger();

  Probe(Backend backend) throws IOException {
    this.backend = backend;
    this.size = backend.size();
    Geometry geometry = backend.geometry();
    this.unit = geometry.requiredChunk();
    int most = Math.min(geometry.maxTransfer(), Math.max(MAX_PIECE, unit));
    this.piece = most - most % unit;
  }

  /**
   * A range of bytes.
   *
   * @param end the first byte after it
   */
  record Range(long offset, long end) {
    long length() {
      return end - offset;
    }
  }

  Backend backend() {
    return backend;
  }

  long size() {
    return size;
  }

  int unit() {
    return unit;
  }

  /** The most bytes to read or write in one call. */
  int piece() {
    return piece;
  }

  long alignDown(long offset) {
    return offset - offset % unit;
  }

  /** The smallest range that the backend takes and that holds this one. */
  Range range(long offset, long length) {
    return new Range(alignDown(offset), Math.min(size, alignDown(offset + length + unit - 1)));
  }

  Range all() {
    return new Range(0, size);
  }

  /** Ranges around the borders of blocks and chunks, and at the end. */
  List<Range> ranges() {
    List<Range> ranges = new ArrayList<>();
    for (long length : LENGTHS) {
      for (long offset : OFFSETS) {
        if (offset + length <= size) {
          ranges.add(range(offset, length));
        }
      }
      if (length <= size) {
        ranges.add(range(size - length, length));
      }
    }
    return ranges.stream().distinct().toList();
  }

  void write(Payload payload, Range range) throws IOException {
    for (long at = range.offset(); at < range.end(); at += piece) {
      int length = (int) Math.min(piece, range.end() - at);
      ByteBuffer buffer = allocate(length);
      payload.fill(buffer, at);
      buffer.flip().position(MARGIN);
      ByteBuffer src = buffer.duplicate();
      backend.write(calls.getAndIncrement() % 3 == 0 ? src.asReadOnlyBuffer() : src, at);
      payload.verify(buffer, at);
    }
  }

  void verify(Payload payload, Range range) throws IOException {
    for (long at = range.offset(); at < range.end(); at += piece) {
      payload.verify(read(at, (int) Math.min(piece, range.end() - at)), at);
    }
  }

  void verifyZeros(Range range) throws IOException {
    for (long at = range.offset(); at < range.end(); at += piece) {
      ByteBuffer bytes = read(at, (int) Math.min(piece, range.end() - at));
      int wrong = bytes.mismatch(ByteBuffer.allocate(bytes.remaining()));
      if (wrong >= 0) {
        throw new AssertionError(
            "byte %d is 0x%02x%s, not zero"
                .formatted(
                    at + wrong,
                    bytes.get(bytes.position() + wrong),
                    bytes.get(bytes.position() + wrong) == DIRT
                        ? " as the buffer was before"
                        : ""));
      }
    }
  }

  /** Reads into a buffer that is dirty, and that reaches beyond its position and limit. */
  ByteBuffer read(long offset, int length) throws IOException {
    ByteBuffer buffer = allocate(length);
    ByteBuffer dst = buffer.duplicate();
    backend.read(dst, offset);
    assertThat(dst.position())
        .as("position after a read of %d bytes", length)
        .isEqualTo(dst.limit());
    assertThat(dst.limit()).as("limit after a read").isEqualTo(buffer.limit());
    int end = MARGIN + length;
    ByteBuffer margin = ByteBuffer.allocate(MARGIN);
    Arrays.fill(margin.array(), DIRT);
    assertThat(buffer.slice(0, MARGIN)).as("bytes before the position").isEqualTo(margin);
    ByteBuffer whole = buffer.duplicate().clear();
    assertThat(whole.slice(end, MARGIN)).as("bytes behind the limit").isEqualTo(margin);
    return buffer;
  }

  /** A part of a dirty buffer, of one kind or another. */
  private ByteBuffer allocate(int length) {
    int capacity = length + 2 * MARGIN;
    ByteBuffer buffer =
        switch (calls.getAndIncrement() % 3) {
          case 0 -> ByteBuffer.allocate(capacity);
          case 1 -> ByteBuffer.allocateDirect(capacity);
          // An array that does not begin where the buffer does.
          default -> ByteBuffer.allocate(capacity + 3).slice(3, capacity);
        };
    while (buffer.hasRemaining()) {
      buffer.put(DIRT);
    }
    return buffer.limit(MARGIN + length).position(MARGIN);
  }

  /** Asks for the extents of a range to its end, checking the rules on the way. */
  List<Extent> extents(Range range) throws IOException {
    List<Extent> all = new ArrayList<>();
    for (long at = range.offset(); at < range.end(); ) {
      List<Extent> some = backend.extents(at, range.end() - at);
      assertThat(some).as("extents from %d on", at).isNotEmpty();
      for (Extent extent : some) {
        assertThat(extent.offset()).as("offset of %s: no gap, no overlap", extent).isEqualTo(at);
        assertThat(extent.end()).as("end of %s", extent).isLessThanOrEqualTo(range.end());
        at = extent.end();
      }
      all.addAll(some);
    }
    return all;
  }
}
