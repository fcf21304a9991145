package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.backend.PermanentIOException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Writes dirty blocks to the remote: now and then in the background, and all of them for a sync.
 * Owns its virtual threads until {@link #close}.
 *
 * <p>What happens to a dirty chunk. Its turn is taken, so that an older snapshot cannot overtake a
 * newer one; its dirty bits are taken out of the store; the bytes are copied and written to the
 * remote; the bits go to {@code unsynced}; the turn is given up. If the write fails the bits go
 * back to the store. After the remote's sync, what was unsynced before it is clean; if that fails,
 * it is dirty once more, because the remote may have lost it.
 */
final class Pusher implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Pusher.class.getName());

  /** Clean blocks between dirty ones are sent along if they are few: cheaper than a round trip. */
  private static final int JOINED_GAP = 16;

  private final Backend remote;
  private final ChunkStore store;
  private final Fetcher fetcher;
  private final BufferPool buffers;
  private final Retry retry;
  private final Semaphore workers;
  private final int requiredChunk;
  private final long timeoutNanos;
  private final ConcurrentHashMap<Long, CompletableFuture<@Nullable Void>> turns =
      new ConcurrentHashMap<>();

  /** What the remote has taken since its last sync, by chunk. */
  private final ConcurrentHashMap<Long, List<BlockSet.Bits>> unsynced = new ConcurrentHashMap<>();

  /** Held for one remote sync; who waits for it finds afterwards that it need not do its own. */
  private final ReentrantLock settling = new ReentrantLock();

  private final AtomicLong settlesBegun = new AtomicLong();
  private long lastSettled;

  /** Grows with each failure after which a sync must go on. */
  private final AtomicLong returned = new AtomicLong();

  private volatile boolean closed;
  private @Nullable Thread background;

  Pusher(
      Backend remote,
      ChunkStore store,
      Fetcher fetcher,
      BufferPool buffers,
      int workers,
      int requiredChunk,
      Duration timeout) {
    this.remote = remote;
    this.store = store;
    this.fetcher = fetcher;
    this.buffers = buffers;
    this.workers = new Semaphore(workers);
    this.requiredChunk = requiredChunk;
    this.timeoutNanos = timeout.toNanos();
    this.retry = new Retry(timeout, () -> closed);
  }

  /** Pushes every {@code interval} from now on. */
  void start(Duration interval) {
    background = Thread.ofVirtual().name("r3map-push").start(() -> pushNowAndThen(interval));
  }

  private void pushNowAndThen(Duration interval) {
    try {
      while (!closed) {
        Thread.sleep(interval);
        try {
          sync();
        } catch (IOException e) {
          if (!closed) {
            LOG.log(
                System.Logger.Level.WARNING,
                "background push failed and will be tried again; nothing is lost: "
                    + e.getMessage());
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Returns when everything written before the call is durable at the remote.
   *
   * @return the offsets of the chunks that were pushed
   * @throws IOException if it is not; what could not be pushed stays dirty
   */
  long[] sync() throws IOException {
    long deadline = System.nanoTime() + timeoutNanos;
    Backoff backoff = new Backoff();
    TreeSet<Long> pushed = new TreeSet<>();
    for (long failures = -1; failures != returned.get(); ) {
      failures = returned.get();
      List<Long> dirty = outstanding();
      pushed.addAll(dirty);
      pushAll(dirty);
      try {
        settle();
      } catch (PermanentIOException e) {
        throw Failures.syncing(remote, e);
      } catch (IOException e) {
        // What the remote may have lost is dirty again: the next round writes it once more.
        if (closed || System.nanoTime() - deadline >= 0) {
          throw Failures.syncing(remote, e);
        }
        backoff.sleep(deadline, e);
      }
    }
    store.trimJournal();
    Chunks chunks = store.chunks();
    return pushed.stream().mapToLong(chunks::offset).toArray();
  }

  /** The chunks that are dirty or being pushed. */
  private List<Long> outstanding() {
    TreeSet<Long> found = new TreeSet<>();
    long failures;
    do {
      failures = returned.get();
      addDirty(found);
      found.addAll(turns.keySet());
      // A push that failed in between made its chunk dirty behind our back: look again.
    } while (failures != returned.get());
    return List.copyOf(found);
  }

  private void addDirty(Set<Long> found) {
    BlockSet dirty = store.dirty();
    Chunks chunks = store.chunks();
    if (dirty.cardinality() == 0) {
      return;
    }
    long blocks = chunks.blocks();
    for (long at = dirty.nextSet(0, blocks); at < blocks; ) {
      long chunk = chunks.chunkOfBlock(at);
      found.add(chunk);
      at = dirty.nextSet(chunks.endBlock(chunk), blocks);
    }
  }

  private void pushAll(List<Long> dirty) throws IOException {
    if (dirty.size() == 1) {
      push(dirty.getFirst());
      return;
    }
    AtomicReference<@Nullable IOException> failure = new AtomicReference<>();
    List<Future<?>> running = new ArrayList<>();
    try {
      for (long chunk : dirty) {
        workers.acquire();
        if (failure.get() != null) {
          workers.release();
          break;
        }
        running.add(launch(chunk, failure));
      }
      for (Future<?> one : running) {
        one.get();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while pushing; nothing is lost");
    } catch (ExecutionException e) {
      throw new IOException(e.getCause());
    }
    IOException failed = failure.get();
    if (failed != null) {
      throw failed;
    }
  }

  private Future<?> launch(long chunk, AtomicReference<@Nullable IOException> failure) {
    FutureTask<@Nullable Void> task =
        new FutureTask<>(() -> {
          try {
            push(chunk);
          } catch (IOException e) {
            failure.compareAndSet(null, e);
          } finally {
            workers.release();
          }
          return null;
        });
    Thread.ofVirtual().name("r3map-push-", chunk).start(task);
    return task;
  }

  private void push(long chunk) throws IOException {
    CompletableFuture<@Nullable Void> turn = takeTurn(chunk);
    try {
      BlockSet.Bits bits =
          store.dirty().drain(store.chunks().firstBlock(chunk), store.chunks().endBlock(chunk));
      if (bits.isEmpty()) {
        return;
      }
      try {
        write(chunk, bits);
        keepUnsynced(chunk, bits);
      } catch (Throwable e) {
        store.dirty().setAll(bits);
        returned.incrementAndGet();
        throw e;
      }
    } finally {
      giveUpTurn(chunk, turn);
    }
  }

  /** Waits until nobody else pushes the chunk. */
  private CompletableFuture<@Nullable Void> takeTurn(long chunk) {
    CompletableFuture<@Nullable Void> mine = new CompletableFuture<>();
    for (CompletableFuture<@Nullable Void> other;
        (other = turns.putIfAbsent(chunk, mine)) != null; ) {
      other.join();
    }
    return mine;
  }

  private void giveUpTurn(long chunk, CompletableFuture<@Nullable Void> mine) {
    turns.remove(chunk, mine);
    mine.complete(null);
  }

  private void write(long chunk, BlockSet.Bits bits) throws IOException {
    Chunks chunks = store.chunks();
    if (requiredChunk > Chunks.BLOCK) {
      fetcher.load(chunks.offset(chunk), chunks.length(chunk), System.nanoTime() + timeoutNanos);
      write(chunks.offset(chunk), chunks.length(chunk));
      return;
    }
    long end = bits.to();
    for (long at = bits.next(0, true); at < end; ) {
      long to = bits.next(at, false);
      long next = bits.next(to, true);
      while (next < end && next - to <= JOINED_GAP && store.hasBlocks(to, next)) {
        to = bits.next(next, false);
        next = bits.next(to, true);
      }
      write(chunks.byteOf(at), (int) (chunks.byteOf(to) - chunks.byteOf(at)));
      at = next;
    }
  }

  private void write(long offset, int length) throws IOException {
    try {
      ByteBuffer buffer = buffers.take();
      try {
        buffer.limit(length);
        store.read(buffer, offset);
        retry.run(() -> remote.write(buffer.rewind(), offset));
      } catch (IOException e) {
        throw Failures.writing(remote, offset, length, e);
      } finally {
        buffers.give(buffer);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while pushing; nothing is lost");
    }
  }

  private void keepUnsynced(long chunk, BlockSet.Bits bits) {
    unsynced.compute(
        chunk,
        (c, before) -> {
          List<BlockSet.Bits> all = before == null ? new ArrayList<>() : before;
          all.add(bits);
          return all;
        });
  }

  /** Makes durable at the remote what was pushed before the call; nothing was, nothing to do. */
  private void settle() throws IOException {
    long begunBefore = settlesBegun.get();
    settling.lock();
    try {
      if (lastSettled > begunBefore) {
        return;
      }
      if (unsynced.isEmpty()) {
        return;
      }
      long number = settlesBegun.incrementAndGet();
      Map<Long, List<BlockSet.Bits>> mine = new HashMap<>();
      for (Long chunk : unsynced.keySet()) {
        mine.put(chunk, Objects.requireNonNull(unsynced.remove(chunk)));
      }
      syncRemote(mine);
      lastSettled = number;
    } finally {
      settling.unlock();
    }
  }

  private void syncRemote(Map<Long, List<BlockSet.Bits>> mine) throws IOException {
    try {
      // Not tried again by itself: a remote that failed may have lost what it had.
      remote.sync();
    } catch (Throwable e) {
      mine.values().forEach(all -> all.forEach(store.dirty()::setAll));
      returned.incrementAndGet();
      throw e;
    }
    try {
      noteClean(mine);
    } catch (Throwable e) {
      // The remote has it, but no sync may end before the journal says so.
      mine.forEach((chunk, all) -> all.forEach(bits -> keepUnsynced(chunk, bits)));
      returned.incrementAndGet();
      throw e;
    }
  }

  private void noteClean(Map<Long, List<BlockSet.Bits>> synced) throws IOException {
    for (Map.Entry<Long, List<BlockSet.Bits>> entry : synced.entrySet()) {
      long chunk = entry.getKey();
      for (Iterator<BlockSet.Bits> all = entry.getValue().iterator(); all.hasNext(); ) {
        BlockSet.Bits bits = all.next();
        if (!store.clean(chunk, bits, pushedAgain(chunk))) {
          keepUnsynced(chunk, bits);
          all.remove();
        }
      }
    }
    store.forceClean();
  }

  /** Whether a chunk is on its way, or was since this call and came back. */
  BooleanSupplier pushedAgain(long chunk) {
    long failures = returned.get();
    return () ->
        turns.containsKey(chunk) || unsynced.containsKey(chunk) || returned.get() != failures;
  }

  /** Ends the background pushing; calls of {@link #sync} in flight stop trying again. */
  @Override
  public void close() {
    closed = true;
    Thread thread = background;
    if (thread == null) {
      return;
    }
    thread.interrupt();
    try {
      thread.join(Duration.ofSeconds(2));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
