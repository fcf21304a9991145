package dev.r3map.cli.copy;

import dev.r3map.backend.Backend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.atomic.LongAdder;

/** Reads two resources of the same size and compares them, several chunks at once. */
public final class Comparer {
  private final Backend left;
  private final Backend right;
  private final int chunkSize;
  private final int workers;
  private final Retrying retrying;
  private final LongAdder done = new LongAdder();

  /**
   * @param chunkSize bytes read at once; a multiple of what either side requires
   * @param patience for how long to try again what may be a passing failure
   */
  public Comparer(Backend left, Backend right, int chunkSize, int workers, Duration patience) {
    this.left = left;
    this.right = right;
    this.chunkSize = chunkSize;
    this.workers = workers;
    this.retrying = new Retrying(patience);
  }

  /** Bytes compared. */
  public long done() {
    return done.sum();
  }

  /**
   * Compares everything but what is a hole on both sides.
   *
   * @throws IOException if they differ; names the first byte of one chunk that does
   */
  public void run() throws IOException, InterruptedException {
    long size = left.size();
    try (Workers pool = new Workers(workers, 2 * chunkSize)) {
      Holes leftHoles = new Holes(left, retrying);
      Holes rightHoles = new Holes(right, retrying);
      for (long at = 0; at < size; ) {
        long from = at;
        long hole =
            Chunking.down(
                Math.min(leftHoles.endOfHole(from), rightHoles.endOfHole(from)), chunkSize, size);
        if (hole > from) {
          done.add(hole - from);
          at = hole;
        } else {
          int length = (int) Math.min(chunkSize, size - from);
          pool.submit(buffer -> compare(buffer, from, length));
          at += length;
        }
      }
      pool.finish();
    }
  }

  private void compare(ByteBuffer buffer, long offset, int length) throws IOException {
    ByteBuffer ours = buffer.slice(0, length);
    ByteBuffer theirs = buffer.slice(length, length);
    Copier.read(left, ours, offset, retrying);
    Copier.read(right, theirs, offset, retrying);
    int difference = ours.flip().mismatch(theirs.flip());
    if (difference >= 0) {
      throw new IOException(
          "%s and %s differ at offset %d".formatted(left, right, offset + difference));
    }
    done.add(length);
  }
}
