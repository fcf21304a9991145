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
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
 * remote; the bits go to {@code unsynced}; the turn is given up. If the write fails, or does not
 * return in time, the bits go back to the store. After the remote's sync, what was unsynced before
 * it is clean; if that fails, it is dirty once more, because the remote may have lost it.
 */
final class Pusher implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Pusher.class.getName());

  /** Clean blocks between dirty ones are sent along if they are few: cheaper than a round trip. */
  private static final int JOINED_GAP = 16;

  /** How long close waits for backends that do not heed an interrupt. */
  private static final Duration CLOSE_PATIENCE = Duration.ofSeconds(2);

  private final Backend remote;
  private final ChunkStore store;
  private final Fetcher fetcher;
  private final BufferPool buffers;
  private final Retry retry;
  private final Semaphore workers;
  private final int requiredChunk;
  private final Duration timeout;

  /** Whose turn it is to push a chunk. */
  private final ConcurrentHashMap<Long, Push> turns = new ConcurrentHashMap<>();

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
    this.timeout = timeout;
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
        } catch (IOException | RuntimeException | Error e) {
          // Whatever it was: if this thread ended, nothing would be pushed any more.
          if (!closed) {
            LOG.log(
                System.Logger.Level.WARNING,
                "background push failed and will be tried again; nothing is lost: " + e);
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
    long deadline = System.nanoTime() + timeout.toNanos();
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
    List<Push> running = new ArrayList<>();
    AtomicReference<@Nullable IOException> failure = new AtomicReference<>();
    try {
      for (long chunk : dirty) {
        if (!workers.tryAcquire(timeout.toNanos(), TimeUnit.NANOSECONDS)) {
          failure.compareAndSet(null, noAnswer(chunk));
        } else if (failure.get() != null) {
          workers.release();
        } else {
          Push push = new Push(chunk, failure);
          running.add(push);
          push.thread.start();
        }
        if (failure.get() != null) {
          break;
        }
      }
      for (Push push : running) {
        push.await();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while pushing; nothing is lost");
    }
    IOException failed = failure.get();
    if (failed != null) {
      throw failed;
    }
  }

  private IOException noAnswer(long chunk) {
    return writing(chunk, new IOException("no answer within " + timeout));
  }

  private IOException writing(long chunk, IOException cause) {
    Chunks chunks = store.chunks();
    return Failures.writing(remote, chunks.offset(chunk), chunks.length(chunk), cause);
  }

  /**
   * The dirty blocks of one chunk on their way to the remote, on a thread of their own.
   *
   * <p>Whoever waits for it gives it up when a call of the remote takes too long; its blocks are
   * dirty again then. But its turn, its buffer and its worker's permit it keeps until that call
   * returns, because until then the call may still write what it was given.
   */
  private final class Push {
    private final long chunk;
    private final Thread thread;

    /** The first failure of all pushes of one sync. */
    private final AtomicReference<@Nullable IOException> failure;

    /** Nobody need wait any longer. */
    private final CompletableFuture<@Nullable Void> settled = new CompletableFuture<>();

    /** Its turn is over. */
    private final CompletableFuture<@Nullable Void> over = new CompletableFuture<>();

    /** For the step it is at. */
    private volatile long deadline = System.nanoTime() + timeout.toNanos();

    /** Whose turn it waits for: that one's steps count as its own. */
    private volatile @Nullable Push waitsFor;

    private volatile @Nullable IOException lastFailure;
    private volatile BlockSet.@Nullable Bits taken;
    private volatile boolean givenUp;

    Push(long chunk, AtomicReference<@Nullable IOException> failure) {
      this.chunk = chunk;
      this.failure = failure;
      thread = Thread.ofVirtual().name("r3map-push-", chunk).unstarted(this::run);
    }

    /** Returns when it has ended, or gives it up. */
    void await() throws InterruptedException {
      while (!settled.isDone()) {
        long left = nanosLeft();
        if (left <= 0) {
          giveUp();
          return;
        }
        try {
          settled.get(left, TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
          // Look again: a further step may have begun.
        } catch (ExecutionException e) {
          throw new AssertionError(e);
        }
      }
    }

    private long nanosLeft() {
      long now = System.nanoTime();
      Push other = waitsFor;
      long left = deadline - now;
      return other == null ? left : Math.max(left, other.deadline - now);
    }

    private void giveUp() {
      givenUp = true;
      BlockSet.Bits bits = taken;
      if (bits != null) {
        makeDirty(bits);
      }
      IOException last = lastFailure;
      // The last failure says more than that time is up.
      failure.compareAndSet(null, last != null ? writing(chunk, last) : noAnswer(chunk));
      settled.complete(null);
      thread.interrupt();
    }

    private void run() {
      try {
        takeTurn();
        try {
          push();
        } finally {
          turns.remove(chunk, this);
          over.complete(null);
        }
      } catch (IOException e) {
        failure.compareAndSet(null, e);
      } catch (InterruptedException e) {
        // If it was given up instead, that has been said already.
        failure.compareAndSet(null, writing(chunk, new IOException("the region was closed")));
      } catch (Throwable e) {
        failure.compareAndSet(null, writing(chunk, new IOException(e)));
      } finally {
        workers.release();
        settled.complete(null);
      }
    }

    /** Waits until nobody else pushes the chunk. */
    private void takeTurn() throws InterruptedException, ExecutionException {
      for (Push other; (other = turns.putIfAbsent(chunk, this)) != null; ) {
        waitsFor = other;
        other.over.get();
      }
      waitsFor = null;
    }

    private void push() throws IOException, InterruptedException {
      Chunks chunks = store.chunks();
      BlockSet.Bits bits = store.dirty().drain(chunks.firstBlock(chunk), chunks.endBlock(chunk));
      if (bits.isEmpty()) {
        return;
      }
      taken = bits;
      try {
        write(bits);
        keepUnsynced(chunk, bits);
      } catch (Throwable e) {
        makeDirty(bits);
        throw e;
      }
    }

    private void write(BlockSet.Bits bits) throws IOException, InterruptedException {
      Chunks chunks = store.chunks();
      if (requiredChunk > Chunks.BLOCK) {
        beginStep();
        fetcher.load(chunks.offset(chunk), chunks.length(chunk), deadline);
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

    private void write(long offset, int length) throws IOException, InterruptedException {
      beginStep();
      ByteBuffer buffer = buffers.take();
      try {
        buffer.limit(length);
        store.read(buffer, offset);
        retry.run(() -> tryWrite(buffer.rewind(), offset));
      } catch (IOException e) {
        throw Failures.writing(remote, offset, length, e);
      } finally {
        buffers.give(buffer);
      }
    }

    private void tryWrite(ByteBuffer bytes, long offset) throws IOException {
      try {
        remote.write(bytes, offset);
      } catch (IOException e) {
        lastFailure = e;
        throw e;
      }
    }

    private void beginStep() throws InterruptedException {
      if (givenUp || closed) {
        throw new InterruptedException();
      }
      lastFailure = null;
      deadline = System.nanoTime() + timeout.toNanos();
    }
  }

  private void makeDirty(BlockSet.Bits bits) {
    store.dirty().setAll(bits);
    returned.incrementAndGet();
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
    Duration patience = TimedCall.forSync(timeout);
    long begunBefore = settlesBegun.get();
    try {
      if (!settling.tryLock(patience.toNanos(), TimeUnit.NANOSECONDS)) {
        throw new IOException("others' syncs of it do not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for another sync");
    }
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
      TimedCall.sync(timeout, remote);
    } catch (IOException | RuntimeException | Error e) {
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

  /** Bytes that the remote may not have: dirty, on their way to it, or not covered by a sync. */
  long owedBytes() {
    BlockSet owed = store.dirty().copy();
    for (Push push : turns.values()) {
      BlockSet.Bits bits = push.taken;
      if (bits != null) {
        owed.setAll(bits);
      }
    }
    for (Long chunk : unsynced.keySet()) {
      unsynced.computeIfPresent(
          chunk,
          (c, all) -> {
            all.forEach(owed::setAll);
            return all;
          });
    }
    return store.bytes(owed);
  }

  /** Ends the background pushing; calls of {@link #sync} in flight stop trying again. */
  @Override
  public void close() {
    closed = true;
    List<Thread> threads = new ArrayList<>();
    Thread thread = background;
    if (thread != null) {
      threads.add(thread);
    }
    // A push that is left was given up, or nobody waits for it any more.
    turns.values().forEach(push -> threads.add(push.thread));
    threads.forEach(Thread::interrupt);
    long deadline = System.nanoTime() + CLOSE_PATIENCE.toNanos();
    try {
      for (Thread each : threads) {
        each.join(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
