package dev.r3map.cli.copy;

import dev.r3map.backend.Backend;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.atomic.LongAdder;

/**
 * Copies a resource to another one of the same size, several chunks at once. Zeros are not written:
 * they become holes, or nothing is done where the target is known to hold zeros.
 */
public final class Copier {
  /** A shorter run of zeros costs less to write than to send as a request of its own. */
  private static final int LEAST_HOLE = 64 << 10;

  /** Zeroing may mean writing zeros: not so much at once that it looks stuck. */
  private static final long MOST_ZEROED = 256 << 20;

  /** A server that is restarted in each of them is not worth more. */
  private static final int MOST_ROUNDS = 3;

  private final Backend source;
  private final Backend target;
  private final int chunkSize;
  private final int workers;
  private final boolean targetIsZero;
  private final Retrying retrying;
  private final long size;
  private final int unit;

  private final LongAdder done = new LongAdder();
  private final LongAdder written = new LongAdder();

  /**
   * @param chunkSize bytes read at once; a multiple of what either side requires
   * @param targetIsZero whether the target was made just now
   * @param patience for how long to try again what may be a passing failure
   */
  public Copier(
      Backend source,
      Backend target,
      int chunkSize,
      int workers,
      boolean targetIsZero,
      Duration patience)
      throws IOException {
    this.source = source;
    this.target = target;
    this.chunkSize = chunkSize;
    this.workers = workers;
    this.targetIsZero = targetIsZero;
    this.retrying = new Retrying(patience);
    this.size = source.size();
    this.unit = Chunking.up(LEAST_HOLE, target.geometry().requiredChunk());
  }

  /** Bytes gone through, zeros included. */
  public long done() {
    return done.sum();
  }

  /** Bytes that were written, thus without zeros. */
  public long written() {
    return written.sum();
  }

  /**
   * Copies everything; it is durable when this returns. A target that may have lost what it had not
   * made durable, such as a server that was restarted, gets everything once more.
   */
  public void run() throws IOException, InterruptedException {
    for (int round = 1; ; round++) {
      copyAll();
      try {
        target.sync();
        return;
      } catch (PermanentIOException | NoSpaceException | InterruptedIOException e) {
        throw e;
      } catch (IOException e) {
        if (round == MOST_ROUNDS || Thread.currentThread().isInterrupted()) {
          throw e;
        }
        done.reset();
        written.reset();
      }
    }
  }

  private void copyAll() throws IOException, InterruptedException {
    try (Workers pool = new Workers(workers, chunkSize)) {
      Holes holes = new Holes(source, retrying);
      for (long at = 0; at < size; ) {
        long from = at;
        long hole = Chunking.down(holes.endOfHole(from), chunkSize, size);
        if (hole > from) {
          long length = Math.min(hole - from, MOST_ZEROED);
          pool.submit(_ -> zero(from, length));
          at += length;
        } else {
          int length = (int) Math.min(chunkSize, size - from);
          pool.submit(buffer -> copy(buffer.limit(length), from));
          at += length;
        }
      }
      pool.finish();
    }
  }

  private void zero(long offset, long length) throws IOException {
    if (!targetIsZero) {
      try {
        retrying.run(() -> {
          target.zero(offset, length);
          return length;
        });
      } catch (IOException e) {
        throw Retrying.at(offset, e);
      }
    }
    done.add(length);
  }

  private void copy(ByteBuffer buffer, long offset) throws IOException {
    read(source, buffer, offset, retrying);
    MemorySegment bytes = MemorySegment.ofBuffer(buffer.flip());
    boolean zero = Zeros.isZero(bytes, 0, Math.min(unit, bytes.byteSize()));
    for (long at = 0; at < bytes.byteSize(); zero = !zero) {
      long end = Zeros.endOfRun(bytes, at, zero, unit);
      if (zero) {
        zero(offset + at, end - at);
      } else {
        write(buffer.slice((int) at, (int) (end - at)), offset + at);
      }
      at = end;
    }
  }

  private void write(ByteBuffer bytes, long offset) throws IOException {
    int length = bytes.remaining();
    try {
      retrying.run(() -> {
        target.write(bytes.rewind(), offset);
        return length;
      });
    } catch (IOException e) {
      throw Retrying.at(offset, e);
    }
    written.add(length);
    done.add(length);
  }

  static void read(Backend backend, ByteBuffer buffer, long offset, Retrying retrying)
      throws IOException {
    int limit = buffer.limit();
    try {
      retrying.run(() -> {
        backend.read(buffer.clear().limit(limit), offset);
        return limit;
      });
    } catch (IOException e) {
      throw Retrying.at(offset, e);
    }
  }
}
