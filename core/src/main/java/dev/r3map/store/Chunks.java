package dev.r3map.store;

/**
 * How a resource divides into chunks and blocks. The last chunk and the last block may be short; an
 * empty resource has none.
 *
 * @param size of the resource in bytes
 * @param chunkSize a power of two, 4 KiB to 32 MiB
 */
record Chunks(long size, int chunkSize) {
  /** Unit of presence and dirtiness: the page of every kernel interface that serves a region. */
  static final int BLOCK = 4096;

  static final int BLOCK_SHIFT = 12;
  static final int MIN_CHUNK = BLOCK;
  static final int MAX_CHUNK = 32 << 20;

  Chunks {
    if (size < 0) {
      throw new IllegalArgumentException("negative size: " + size);
    }
    if (Integer.bitCount(chunkSize) != 1 || chunkSize < MIN_CHUNK || chunkSize > MAX_CHUNK) {
      throw new IllegalArgumentException(
          "chunk size must be a power of two from 4 KiB to 32 MiB, not " + chunkSize);
    }
  }

  long count() {
    return (size + chunkSize - 1) >>> shift();
  }

  long blocks() {
    return (size + BLOCK - 1) >>> BLOCK_SHIFT;
  }

  /** The chunk that holds a byte. */
  long at(long offset) {
    return offset >>> shift();
  }

  long offset(long chunk) {
    return chunk << shift();
  }

  int length(long chunk) {
    return (int) Math.min(chunkSize, size - offset(chunk));
  }

  long firstBlock(long chunk) {
    return offset(chunk) >>> BLOCK_SHIFT;
  }

  /** The first block after a chunk. */
  long endBlock(long chunk) {
    return blockAfter(offset(chunk) + length(chunk));
  }

  long chunkOfBlock(long block) {
    return at(block << BLOCK_SHIFT);
  }

  /** The first block after {@code end}, with the block that {@code end} cuts counted in. */
  static long blockAfter(long end) {
    return (end + BLOCK - 1) >>> BLOCK_SHIFT;
  }

  static long block(long offset) {
    return offset >>> BLOCK_SHIFT;
  }

  /** Where a block begins; for the block after the last one, the end of the resource. */
  long byteOf(long block) {
    return Math.min(block << BLOCK_SHIFT, size);
  }

  /** Bytes in {@code cardinality} blocks, of which the last one of the resource may be one. */
  long bytes(long cardinality, boolean lastIncluded) {
    long whole = cardinality << BLOCK_SHIFT;
    return lastIncluded ? whole - ((blocks() << BLOCK_SHIFT) - size) : whole;
  }

  private int shift() {
    return Integer.numberOfTrailingZeros(chunkSize);
  }
}
