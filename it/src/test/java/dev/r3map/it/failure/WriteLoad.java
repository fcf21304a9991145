package dev.r3map.it.failure;

import dev.r3map.Region;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Writes random ranges of a file in many threads, and now and then asks for an fsync; a ledger
 * knows what was written. Owns its threads until {@link #close}, or until the file fails.
 */
final class WriteLoad implements AutoCloseable {
  private static final int LONGEST = 64 << 10;

  /** Overlapping writes take turns, so that it is known which came last. */
  private static final int TURN = 64 << 10;

  /** How many writes come for one fsync. */
  private static final int WRITES_PER_SYNC = 8;

  private static final long POLL_NANOS = 200_000;

  private final Ledger ledger;
  private final long span;
  private final ReentrantLock[] turns;
  private final List<Thread> threads = new ArrayList<>();
  private final AtomicLong writes = new AtomicLong();
  private final AtomicLong syncs = new AtomicLong();
  private volatile boolean stopping;
  private volatile Throwable failure;

  /** What is written to, by one thread. */
  interface Target extends AutoCloseable {
    void write(ByteBuffer bytes, long offset) throws IOException;

    void sync() throws IOException;

    @Override
    void close() throws IOException;

    static Target open(Path path) throws IOException {
      FileChannel file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
      return new Target() {
        @Override
        public void write(ByteBuffer bytes, long offset) throws IOException {
          while (bytes.hasRemaining()) {
            file.write(bytes, offset + bytes.position());
          }
        }

        @Override
        public void sync() throws IOException {
          file.force(false);
        }

        @Override
        public void close() throws IOException {
          file.close();
        }
      };
    }

    static Target of(Region region) {
      return new Target() {
        @Override
        public void write(ByteBuffer bytes, long offset) throws IOException {
          region.write(bytes, offset);
        }

        @Override
        public void sync() throws IOException {
          region.flush();
        }

        @Override
        public void close() {}
      };
    }
  }

  /** Opens what a thread writes to. */
  interface Opener {
    Target open() throws IOException;
  }

  private WriteLoad(Ledger ledger, long span) {
    this.ledger = ledger;
    this.span = span;
    turns = new ReentrantLock[Math.toIntExact(Math.ceilDiv(span, TURN))];
    for (int i = 0; i < turns.length; i++) {
      turns[i] = new ReentrantLock();
    }
  }

  /** Writes all of a mounted file. */
  static WriteLoad start(Path path, Ledger ledger, int writers, SplittableRandom random) {
    return start(() -> Target.open(path), ledger, ledger.size(), writers, random);
  }

  /**
   * @param span of the file is written, from its beginning; others may write the rest
   */
  static WriteLoad start(
      Opener opener, Ledger ledger, long span, int writers, SplittableRandom random) {
    WriteLoad load = new WriteLoad(ledger, span);
    for (int i = 0; i < writers; i++) {
      SplittableRandom own = random.split();
      load.threads.add(
          Thread.ofPlatform().daemon().name("writer " + i).start(() -> load.run(opener, own)));
    }
    return load;
  }

  long writes() {
    return writes.get();
  }

  long syncs() {
    return syncs.get();
  }

  private void run(Opener opener, SplittableRandom random) {
    try (Target file = opener.open()) {
      while (!stopping) {
        if (random.nextInt(WRITES_PER_SYNC + 1) == 0) {
          sync(file);
        } else {
          write(file, random);
        }
      }
    } catch (Throwable e) {
      if (failure == null) {
        failure = e;
      }
    }
  }

  private void sync(Target file) throws IOException {
    Ledger.Mark mark = ledger.mark();
    file.sync();
    ledger.acknowledge(mark);
    syncs.incrementAndGet();
  }

  private void write(Target file, SplittableRandom random) throws IOException {
    int sectors = Math.toIntExact(Math.ceilDiv(span, Ledger.SECTOR));
    long offset = (long) random.nextInt(sectors) * Ledger.SECTOR;
    // One in four is aligned to blocks, as most programs' writes are.
    boolean aligned = random.nextInt(4) == 0;
    int unit = aligned ? 4096 : Ledger.SECTOR;
    offset = offset / unit * unit;
    int units = 1 + random.nextInt(random.nextInt(4) == 0 ? LONGEST / unit : 8);
    int length = (int) Math.min((long) units * unit, span - offset);
    int first = (int) (offset / TURN);
    int last = (int) ((offset + length - 1) / TURN);
    for (int turn = first; turn <= last; turn++) {
      turns[turn].lock();
    }
    try {
      Ledger.Write write = ledger.begin(offset, length);
      file.write(write.bytes(), offset);
      ledger.end(write);
      writes.incrementAndGet();
    } finally {
      for (int turn = first; turn <= last; turn++) {
        turns[turn].unlock();
      }
    }
  }

  /** Waits for so many fsyncs, counted from the beginning. */
  void awaitSyncs(long count) {
    long deadline = System.nanoTime() + Child.PATIENCE.toNanos();
    while (syncs() < count) {
      requireGoingOn();
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("%d fsyncs and not %d".formatted(syncs(), count));
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** Waits until the writers have noticed that the file is gone. */
  void awaitFailure() {
    join();
    if (!(failure instanceof IOException)) {
      throw new AssertionError("no writer noticed, or one failed otherwise", failure);
    }
  }

  /** Ends the writers, none of which may have failed. */
  @Override
  public void close() {
    stopping = true;
    join();
    if (failure != null && !(failure instanceof IOException)) {
      throw new AssertionError("a writer failed", failure);
    }
  }

  /** The same, and none may have failed at all. */
  void stop() {
    close();
    if (failure != null) {
      throw new AssertionError("a writer failed", failure);
    }
  }

  private void join() {
    try {
      for (Thread thread : threads) {
        if (!thread.join(Child.PATIENCE)) {
          throw new AssertionError("%s hangs".formatted(thread.getName()));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted while writers end", e);
    }
  }

  /** Whether every writer still goes on. */
  void requireGoingOn() {
    if (failure != null) {
      throw new AssertionError("a writer failed", failure);
    }
  }
}
