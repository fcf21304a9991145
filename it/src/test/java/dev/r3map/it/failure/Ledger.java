package dev.r3map.it.failure;

import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * What a file may hold after any of its servers was killed. Every write has a version of its own
 * and content that follows from it; for each sector the ledger knows the versions that were written
 * since the last one whose fsync returned. Thread-safe.
 *
 * <p>Version 0 is what the file held at first: a payload, and zeros in every fourth stretch of 16
 * KiB.
 */
final class Ledger {
  /** What one system call writes whole or not at all, also when its process is killed. */
  static final int SECTOR = 512;

  /** What the file holds at first comes in pieces of this length. */
  static final int STRETCH = 16 << 10;

  private static final int[] NONE = {};

  private final long size;
  private final long seed;
  private final int[] acknowledged;
  private final int[] completed;

  /** The versions after the acknowledged one, in order. */
  private final int[][] later;

  /** The oldest version that a reader may still see: what was written or seen stays. */
  private final int[] seen;

  private int version;

  Ledger(long size, long seed) {
    this.size = size;
    this.seed = seed;
    int sectors = Math.toIntExact(Math.ceilDiv(size, SECTOR));
    acknowledged = new int[sectors];
    completed = new int[sectors];
    seen = new int[sectors];
    later = new int[sectors][];
    Arrays.fill(later, NONE);
  }

  long size() {
    return size;
  }

  /** A write about to be made: which version, and its bytes. */
  record Write(int version, long offset, ByteBuffer bytes) {}

  /** What was complete when a flush began. */
  static final class Mark {
    private final int[] versions;

    private Mark(int[] versions) {
      this.versions = versions;
    }
  }

  /** A new version of a range of whole sectors, which nobody else writes meanwhile. */
  synchronized Write begin(long offset, int length) {
    int next = ++version;
    for (int sector = sector(offset); sector < sectorAfter(offset + length); sector++) {
      later[sector] = Arrays.copyOf(later[sector], later[sector].length + 1);
      later[sector][later[sector].length - 1] = next;
    }
    ByteBuffer bytes = ByteBuffer.allocateDirect(length);
    payload(next).fill(bytes, offset);
    return new Write(next, offset, bytes.flip());
  }

  /** The system call has returned, and every reader must see it, also after a kill. */
  synchronized void end(Write write) {
    int first = sector(write.offset());
    int end = sectorAfter(write.offset() + write.bytes().limit());
    Arrays.fill(completed, first, end, write.version());
    Arrays.fill(seen, first, end, write.version());
  }

  /** To be called before an fsync. */
  synchronized Mark mark() {
    return new Mark(completed.clone());
  }

  /** The fsync has returned. */
  synchronized void acknowledge(Mark mark) {
    for (int sector = 0; sector < acknowledged.length; sector++) {
      int durable = mark.versions[sector];
      if (durable > acknowledged[sector]) {
        acknowledged[sector] = durable;
        later[sector] = Arrays.stream(later[sector]).filter(v -> v > durable).toArray();
      }
    }
  }

  /** The bytes of a file that nobody writes, compared with what readers may see from now on. */
  void checkFile(Path file) throws IOException {
    scan(file, this::checkView);
  }

  /** The bytes of a served file, compared with what is acknowledged. */
  void checkServed(Path file) throws IOException {
    scan(file, this::checkAcknowledged);
  }

  private interface Check {
    void at(ByteBuffer bytes, long offset);
  }

  private void scan(Path path, Check check) throws IOException {
    try (FileChannel file = FileChannel.open(path)) {
      if (file.size() != size) {
        throw new AssertionError("%s has %d bytes and not %d".formatted(path, file.size(), size));
      }
      ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
      for (long at = 0; at < size; at += buffer.limit()) {
        buffer.clear().limit((int) Math.min(buffer.capacity(), size - at));
        while (buffer.hasRemaining()) {
          if (file.read(buffer, at + buffer.position()) < 0) {
            throw new IOException("unexpected end of " + path);
          }
        }
        check.at(buffer.flip(), at);
      }
    }
  }

  /** Whether a write to some byte of a range has returned. */
  synchronized boolean isWritten(long offset, int length) {
    for (int sector = sector(offset); sector < sectorAfter(offset + length); sector++) {
      if (seen[sector] > 0) {
        return true;
      }
    }
    return false;
  }

  /**
   * Checks that nothing is older than what was acknowledged, as at the remote.
   *
   * @throws AssertionError naming the first sector that holds something else
   */
  synchronized void checkAcknowledged(ByteBuffer bytes, long offset) {
    check(bytes, offset, false, false);
  }

  /**
   * Checks that nothing is older than what was written.
   *
   * @throws AssertionError naming the first sector that holds something else
   */
  synchronized void checkWritten(ByteBuffer bytes, long offset) {
    check(bytes, offset, true, false);
  }

  /**
   * The same for what readers see, once nobody writes: they will never see anything older.
   *
   * @throws AssertionError naming the first sector that holds something else
   */
  synchronized void checkView(ByteBuffer bytes, long offset) {
    check(bytes, offset, true, true);
  }

  private void check(ByteBuffer bytes, long offset, boolean written, boolean settle) {
    for (int at = 0; at < bytes.remaining(); at += SECTOR) {
      int sector = sector(offset + at);
      ByteBuffer content =
          bytes.slice(bytes.position() + at, Math.min(SECTOR, bytes.remaining() - at));
      int found = find(content, sector, written);
      if (found < 0) {
        throw new AssertionError(
            "sector %d (offset %d) holds %s; acknowledged was %d, later come %s, written or seen is %d"
                .formatted(
                    sector,
                    offset + at,
                    describe(content, sector),
                    acknowledged[sector],
                    Arrays.toString(later[sector]),
                    seen[sector]));
      }
      if (settle) {
        // A write that was on its way when its server was killed can come no more.
        later[sector] = Arrays.stream(later[sector]).filter(v -> v <= found).toArray();
        seen[sector] = found;
        completed[sector] = found;
      }
    }
  }

  private int find(ByteBuffer content, int sector, boolean written) {
    int[] candidates = later[sector];
    for (int i = candidates.length - 1; i >= 0; i--) {
      if ((!written || candidates[i] >= seen[sector]) && holds(content, sector, candidates[i])) {
        return candidates[i];
      }
    }
    int oldest = acknowledged[sector];
    return (!written || oldest >= seen[sector]) && holds(content, sector, oldest) ? oldest : -1;
  }

  private String describe(ByteBuffer content, int sector) {
    for (int v = version; v >= 0; v--) {
      if (holds(content, sector, v)) {
        return "version " + v;
      }
    }
    boolean zeros = true;
    for (int i = 0; i < content.remaining(); i++) {
      zeros &= content.get(i) == 0;
    }
    return zeros ? "zeros" : "garbage";
  }

  private boolean holds(ByteBuffer content, int sector, int wanted) {
    long offset = (long) sector * SECTOR;
    if (wanted == 0 && isHole(offset)) {
      return content.mismatch(ByteBuffer.allocate(content.remaining())) < 0;
    }
    return payload(wanted).mismatch(content, offset) < 0;
  }

  /** A new file that holds what it did at first. */
  Path makeFile(Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (long at = 0; at < size; at += STRETCH) {
        if (!isHole(at)) {
          channel.write(original(at), at);
        }
      }
      if (channel.size() != size) {
        throw new AssertionError("the file ends in a hole: choose another size than " + size);
      }
    }
    return file;
  }

  /** Whether the file had zeros there at first. */
  private static boolean isHole(long offset) {
    return offset / STRETCH % 4 == 3;
  }

  /** What the file had at first, from the beginning of a stretch to its end. */
  ByteBuffer original(long offset) {
    int length = (int) Math.min(STRETCH, size - offset);
    return isHole(offset) ? ByteBuffer.allocate(length) : payload(0).bytes(offset, length);
  }

  private Payload payload(int ofVersion) {
    return Payload.of(payloadSeed(ofVersion));
  }

  /** The seed of the payload that a version's bytes come from. */
  long payloadSeed(int ofVersion) {
    return seed * 1_000_003 + ofVersion;
  }

  private static int sector(long offset) {
    return Math.toIntExact(offset / SECTOR);
  }

  private static int sectorAfter(long end) {
    return Math.toIntExact(Math.ceilDiv(end, SECTOR));
  }
}
