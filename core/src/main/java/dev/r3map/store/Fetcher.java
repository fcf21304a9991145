package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.backend.PermanentIOException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Brings chunks from the remote to the store: one fetch for each chunk at a time, which all who
 * want that chunk share. Owns a virtual thread for each fetch in flight until {@link #close}.
 *
 * <p>A fetch tries again until the latest deadline of those who wait for it, or until the failure
 * is one that another try cannot mend. A failed fetch is forgotten: who comes later starts anew.
 *
 * <p>Who waits for a few blocks while other fetches are under way has them fetched by themselves,
 * too: the chunk stands in a queue with those of the background pull and takes longer to travel.
 */
final class Fetcher implements AutoCloseable {
  /** Chunks of one large read that are asked for ahead of the one that is waited for. */
  private static final int AHEAD = 32;

  /** So many bytes are a few: a page fault with some of its readahead. */
  private static final int FEW = 64 << 10;

  /** How long close waits for backends that do not heed an interrupt. */
  private static final Duration CLOSE_PATIENCE = Duration.ofSeconds(2);

  private final Backend remote;
  private final ChunkStore store;
  private final Chunks chunks;
  private final BufferPool buffers;
  private final boolean readsBlocks;
  private final ConcurrentHashMap<Wanted, Fetch> inFlight = new ConcurrentHashMap<>();

  private volatile boolean closed;

  /**
   * @param readsBlocks whether the remote reads single blocks, and not whole chunks only
   */
  Fetcher(Backend remote, ChunkStore store, BufferPool buffers, boolean readsBlocks) {
    this.remote = remote;
    this.store = store;
    this.chunks = store.chunks();
    this.buffers = buffers;
    this.readsBlocks = readsBlocks;
  }

  /** A chunk, or some blocks of one. */
  private record Wanted(long offset, int length) {}

  /** One fetch, and who waits for it. */
  private static final class Fetch {
    final Wanted wanted;
    final CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
    volatile @Nullable Thread thread;
    private volatile long deadline;
    volatile boolean abandoned;
    volatile boolean gaveUp;
    volatile @Nullable IOException lastFailure;

    Fetch(Wanted wanted, long deadline) {
      this.wanted = wanted;
      this.deadline = deadline;
    }

    synchronized void extend(long until) {
      if (until - deadline > 0) {
        deadline = until;
      }
    }

    /** What went wrong before, should there be no time to see what goes wrong now. */
    void inherit(IOException failure) {
      if (lastFailure == null) {
        lastFailure = failure;
      }
    }

    boolean isOver() {
      return abandoned || System.nanoTime() - deadline >= 0;
    }

    /** Why nothing came of it: the last failure says more than that time is up. */
    IOException timedOut() {
      IOException last = lastFailure;
      return last != null ? last : new IOException("no answer in time");
    }
  }

  boolean isInFlight(long chunk) {
    return inFlight.containsKey(whole(chunk));
  }

  /**
   * Waits until a range is present.
   *
   * @param deadline in {@link System#nanoTime}'s terms
   * @throws IOException if it is not by then; names resource, offset and cause
   */
  void load(long offset, long length, long deadline) throws IOException {
    if (length == 0) {
      return;
    }
    if (loadFew(offset, length, deadline)) {
      return;
    }
    long last = chunks.at(offset + length - 1);
    for (long chunk = chunks.at(offset); chunk <= last; ) {
      long end = Math.min(last + 1, chunk + AHEAD);
      List<Fetch> started = new ArrayList<>();
      for (long c = chunk; c < end; c++) {
        if (!store.isLocal(c)) {
          started.add(start(whole(c), deadline));
        }
      }
      for (Fetch fetch : started) {
        await(fetch, deadline);
      }
      chunk = end;
    }
  }

  /**
   * Loads blocks without waiting for their chunk, if that would wait in line.
   *
   * @return whether they are present
   * @throws IOException if they are not, and there is no time left
   */
  private boolean loadFew(long offset, long length, long deadline) throws IOException {
    long from = chunks.byteOf(Chunks.block(offset));
    long to = chunks.byteOf(Chunks.blockAfter(offset + length));
    long chunk = chunks.at(offset);
    boolean within = to - from <= FEW && to - from < chunks.length(chunk);
    Wanted all = whole(chunk);
    boolean busy = inFlight.size() > (inFlight.containsKey(all) ? 1 : 0);
    if (!readsBlocks || !within || chunks.at(to - 1) != chunk || !busy) {
      return false;
    }
    Fetch whole = start(all, deadline);
    Fetch few = start(new Wanted(from, (int) (to - from)), deadline);
    try {
      CompletableFuture.anyOf(few.done, whole.done)
          .get(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      // The fetch of the chunk goes on, or tells what is wrong.
    } catch (TimeoutException e) {
      if (few.isOver()) {
        abandon(few);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    boolean local = store.isLocal(offset, length);
    if (!local && System.nanoTime() - deadline >= 0) {
      throw Failures.reading(remote, from, to - from, few.timedOut());
    }
    return local;
  }

  private void await(Fetch first, long deadline) throws IOException {
    Fetch fetch = first;
    Wanted wanted = first.wanted;
    while (!store.isLocal(wanted.offset, wanted.length)) {
      IOException failure = outcome(fetch, deadline);
      if (failure == null) {
        return;
      }
      // Was it only that those who waited first had an earlier deadline than ours?
      boolean worthAnother = fetch.gaveUp && System.nanoTime() - deadline < 0 && !closed;
      if (!worthAnother) {
        throw Failures.reading(remote, wanted.offset, wanted.length, failure);
      }
      fetch = start(wanted, deadline);
      fetch.inherit(failure);
    }
  }

  private @Nullable IOException outcome(Fetch fetch, long deadline) {
    try {
      fetch.done.get(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
      return null;
    } catch (ExecutionException e) {
      return e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
    } catch (TimeoutException e) {
      // The call itself hangs. Later readers get a fetch of their own instead of this one.
      if (fetch.isOver()) {
        abandon(fetch);
      }
      return fetch.timedOut();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new InterruptedIOException("interrupted");
    }
  }

  /** Lets go of a call that may never return; those who have more time start anew. */
  private void abandon(Fetch fetch) {
    fetch.abandoned = true;
    fetch.gaveUp = true;
    inFlight.remove(fetch.wanted, fetch);
    fetch.done.completeExceptionally(closed ? closedFailure() : fetch.timedOut());
    Thread thread = fetch.thread;
    if (thread != null) {
      thread.interrupt();
    }
  }

  private static IOException closedFailure() {
    return new IOException("the region was closed");
  }

  private Wanted whole(long chunk) {
    return new Wanted(chunks.offset(chunk), chunks.length(chunk));
  }

  private Fetch start(Wanted wanted, long deadline) {
    Fetch fresh = new Fetch(wanted, deadline);
    Fetch running = inFlight.putIfAbsent(wanted, fresh);
    if (running != null) {
      running.extend(deadline);
      return running;
    }
    fresh.thread = Thread.ofVirtual().name("r3map-fetch-", wanted.offset).start(() -> run(fresh));
    return fresh;
  }

  private void run(Fetch fetch) {
    Throwable failure = null;
    try {
      if (closed) {
        throw new InterruptedException();
      }
      transfer(fetch);
    } catch (InterruptedException e) {
      failure = closed ? closedFailure() : fetch.timedOut();
    } catch (Throwable e) {
      failure = e;
    } finally {
      inFlight.remove(fetch.wanted, fetch);
      if (failure == null) {
        fetch.done.complete(null);
      } else {
        fetch.done.completeExceptionally(failure);
      }
    }
  }

  private void transfer(Fetch fetch) throws IOException, InterruptedException {
    ByteBuffer buffer = buffers.take();
    try {
      Backoff backoff = new Backoff();
      // Somebody else may have brought it, before our start or since.
      while (!store.isLocal(fetch.wanted.offset, fetch.wanted.length)) {
        if (tryRead(fetch, buffer)) {
          if (fetch.abandoned) {
            throw new InterruptedException();
          }
          store.install(fetch.wanted.offset, buffer.flip());
          return;
        }
        backoff.sleep(fetch.deadline);
      }
    } finally {
      buffers.give(buffer);
    }
  }

  /** False if the read failed and another try is worth it. */
  private boolean tryRead(Fetch fetch, ByteBuffer buffer) throws IOException, InterruptedException {
    buffer.clear().limit(fetch.wanted.length);
    try {
      remote.read(buffer, fetch.wanted.offset);
      if (buffer.hasRemaining()) {
        throw new PermanentIOException(
            "short read: %d bytes are missing".formatted(buffer.remaining()));
      }
      return true;
    } catch (PermanentIOException e) {
      throw e;
    } catch (OutOfMemoryError e) {
      // Others may give some back.
      return refused(fetch, new IOException(e));
    } catch (IOException e) {
      return refused(fetch, e);
    }
  }

  private boolean refused(Fetch fetch, IOException e) throws IOException, InterruptedException {
    if (closed || Thread.interrupted()) {
      throw new InterruptedException();
    }
    if (fetch.isOver()) {
      fetch.gaveUp = true;
      throw e;
    }
    fetch.lastFailure = e;
    return false;
  }

  /** Starts or joins the fetch of a chunk for the background pull, and waits for its end. */
  void pull(long chunk, long deadline) throws IOException {
    if (!store.isLocal(chunk)) {
      await(start(whole(chunk), deadline), deadline);
    }
  }

  /** Ends the fetches in flight; those who wait for them get an {@link IOException}. */
  @Override
  public void close() {
    closed = true;
    long deadline = System.nanoTime() + CLOSE_PATIENCE.toNanos();
    for (Fetch fetch : inFlight.values()) {
      Thread thread = fetch.thread;
      if (thread != null) {
        thread.interrupt();
      }
    }
    for (Fetch fetch : List.copyOf(inFlight.values())) {
      outcome(fetch, deadline);
      abandon(fetch);
    }
  }
}
