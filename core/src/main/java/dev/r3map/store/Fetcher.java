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
 */
final class Fetcher implements AutoCloseable {
  /** Chunks of one large read that are asked for ahead of the one that is waited for. */
  private static final int AHEAD = 32;

  /** How long close waits for backends that do not heed an interrupt. */
  private static final Duration CLOSE_PATIENCE = Duration.ofSeconds(2);

  private final Backend remote;
  private final ChunkStore store;
  private final Chunks chunks;
  private final BufferPool buffers;
  private final ConcurrentHashMap<Long, Fetch> inFlight = new ConcurrentHashMap<>();
  private volatile boolean closed;

  Fetcher(Backend remote, ChunkStore store, BufferPool buffers) {
    this.remote = remote;
    this.store = store;
    this.chunks = store.chunks();
    this.buffers = buffers;
  }

  /** One fetch, and who waits for it. */
  private static final class Fetch {
    final long chunk;
    final CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
    volatile @Nullable Thread thread;
    private volatile long deadline;
    volatile boolean abandoned;
    volatile boolean gaveUp;
    volatile @Nullable IOException lastFailure;

    Fetch(long chunk, long deadline) {
      this.chunk = chunk;
      this.deadline = deadline;
    }

    synchronized void extend(long until) {
      if (until - deadline > 0) {
        deadline = until;
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
    return inFlight.containsKey(chunk);
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
    long last = chunks.at(offset + length - 1);
    for (long chunk = chunks.at(offset); chunk <= last; ) {
      long end = Math.min(last + 1, chunk + AHEAD);
      List<Fetch> started = new ArrayList<>();
      for (long c = chunk; c < end; c++) {
        if (!store.isLocal(c)) {
          started.add(start(c, deadline));
        }
      }
      for (Fetch fetch : started) {
        await(fetch, deadline);
      }
      chunk = end;
    }
  }

  private void await(Fetch first, long deadline) throws IOException {
    Fetch fetch = first;
    while (!store.isLocal(fetch.chunk)) {
      IOException failure = outcome(fetch, deadline);
      if (failure == null) {
        return;
      }
      // Was it only that those who waited first had an earlier deadline than ours?
      boolean worthAnother = fetch.gaveUp && System.nanoTime() - deadline < 0 && !closed;
      if (!worthAnother) {
        throw Failures.reading(
            remote, chunks.offset(fetch.chunk), chunks.length(fetch.chunk), failure);
      }
      fetch = start(fetch.chunk, deadline);
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

  private void abandon(Fetch fetch) {
    fetch.abandoned = true;
    inFlight.remove(fetch.chunk, fetch);
    Thread thread = fetch.thread;
    if (thread != null) {
      thread.interrupt();
    }
  }

  private Fetch start(long chunk, long deadline) {
    Fetch fresh = new Fetch(chunk, deadline);
    Fetch running = inFlight.putIfAbsent(chunk, fresh);
    if (running != null) {
      running.extend(deadline);
      return running;
    }
    fresh.thread = Thread.ofVirtual().name("r3map-fetch-", chunk).start(() -> run(fresh));
    return fresh;
  }

  private void run(Fetch fetch) {
    Throwable failure = null;
    try {
      // Another fetch may have ended between the caller's look and our start.
      if (closed) {
        throw new InterruptedException();
      }
      if (!store.isLocal(fetch.chunk)) {
        transfer(fetch);
      }
    } catch (InterruptedException e) {
      failure = closed ? new IOException("the region was closed") : fetch.timedOut();
    } catch (Throwable e) {
      failure = e;
    } finally {
      inFlight.remove(fetch.chunk, fetch);
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
      while (!tryRead(fetch, buffer)) {
        backoff.sleep(fetch.deadline);
      }
      if (!fetch.abandoned) {
        store.install(fetch.chunk, buffer.flip());
      }
    } finally {
      buffers.give(buffer);
    }
  }

  /** False if the read failed and another try is worth it. */
  private boolean tryRead(Fetch fetch, ByteBuffer buffer) throws IOException, InterruptedException {
    buffer.clear().limit(chunks.length(fetch.chunk));
    try {
      remote.read(buffer, chunks.offset(fetch.chunk));
      if (buffer.hasRemaining()) {
        throw new PermanentIOException(
            "short read: %d bytes are missing".formatted(buffer.remaining()));
      }
      return true;
    } catch (PermanentIOException e) {
      throw e;
    } catch (IOException e) {
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
  }

  /** Starts or joins the fetch of a chunk for the background pull, and waits for its end. */
  void pull(long chunk, long deadline) throws IOException {
    if (!store.isLocal(chunk)) {
      await(start(chunk, deadline), deadline);
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
