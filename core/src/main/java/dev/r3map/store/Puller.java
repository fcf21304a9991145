package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ResourceChangedException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Pulls the whole resource in the background. Owns its virtual threads until {@link #close}.
 *
 * <p>Each worker has one chunk in flight; how many workers there are follows {@link PullWindow}. A
 * chunk that fails is handed out again later, and its worker pauses. One that the remote refuses
 * for good is left out; many of them in a row end the pull, which would not fare better elsewhere.
 */
final class Puller implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Puller.class.getName());

  /** So much of the resource is asked about at a time when looking for holes. */
  private static final long HOLE_WINDOW = 1L << 30;

  /** For threads that were interrupted. */
  private static final Duration CLOSE_PATIENCE = Duration.ofSeconds(2);

  /** So many chunks refused with none in between that came, and the others are not tried. */
  private static final int MOST_REFUSED = 16;

  private final Backend remote;
  private final ChunkStore store;
  private final Fetcher fetcher;
  private final PullOrder order;
  private final PullWindow window;
  private final int mostWorkers;
  private final long timeoutNanos;
  private final AtomicInteger running = new AtomicInteger();
  private final List<Thread> threads = new ArrayList<>();
  private final AtomicInteger refusedInARow = new AtomicInteger();
  private volatile boolean closed;
  private volatile @Nullable IOException refusal;
  private volatile @Nullable IOException fatal;

  /**
   * Does nothing before {@link #start}.
   *
   * @param mostWorkers 0 for no pull at all
   */
  Puller(
      Backend remote,
      ChunkStore store,
      Fetcher fetcher,
      PullOrder order,
      int mostWorkers,
      Duration timeout) {
    this.remote = remote;
    this.store = store;
    this.fetcher = fetcher;
    this.order = order;
    this.mostWorkers = mostWorkers;
    this.timeoutNanos = timeout.toNanos();
    this.window = new PullWindow(mostWorkers, System.nanoTime());
  }

  void start() {
    if (mostWorkers > 0) {
      addWorkers();
      launch("r3map-pull-holes", this::findHoles);
    }
  }

  boolean isActive() {
    return running.get() > 0;
  }

  /** Why the pull ended before everything was local, if it did. */
  @Nullable IOException fatal() {
    return fatal;
  }

  private synchronized void launch(String name, Runnable task) {
    if (!closed) {
      threads.removeIf(thread -> !thread.isAlive());
      threads.add(Thread.ofVirtual().name(name).start(task));
    }
  }

  private void addWorkers() {
    for (int now = running.get(); now < window.limit() && !closed; now = running.get()) {
      if (running.compareAndSet(now, now + 1)) {
        launch("r3map-pull", this::work);
      }
    }
  }

  /** True for a worker that is one too many, which ends then. */
  private boolean isSurplus() {
    int now = running.get();
    return now > window.limit() && running.compareAndSet(now, now - 1);
  }

  private void work() {
    Backoff backoff = new Backoff();
    try {
      while (!closed && fatal == null) {
        if (isSurplus()) {
          return;
        }
        long chunk = order.next();
        if (chunk < 0) {
          break;
        }
        if (!store.isLocal(chunk)) {
          backoff = pull(chunk, backoff);
          addWorkers();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (running.decrementAndGet() == 0 && refusal != null) {
      end(refusal);
    }
  }

  private void end(IOException cause) {
    if (!closed && fatal == null) {
      fatal = cause;
      LOG.log(System.Logger.Level.WARNING, "background pull ended: " + cause.getMessage());
    }
  }

  private Backoff pull(long chunk, Backoff backoff) throws InterruptedException {
    try {
      PullWindow.Trip trip = window.begin(System.nanoTime());
      fetcher.pull(chunk, System.nanoTime() + timeoutNanos);
      window.end(trip, store.chunks().length(chunk), System.nanoTime());
      refusedInARow.set(0);
      return new Backoff();
    } catch (PermanentIOException e) {
      refusal = e;
      if (e instanceof ResourceChangedException
          || refusedInARow.incrementAndGet() >= MOST_REFUSED) {
        end(e);
      }
    } catch (IOException e) {
      order.giveBack(chunk);
      if (!closed) {
        LOG.log(System.Logger.Level.DEBUG, "background pull goes on trying: " + e.getMessage());
        backoff.sleep();
      }
    }
    return backoff;
  }

  /** Marks what the remote knows to be zeros, so that it need not travel. */
  private void findHoles() {
    long size = store.chunks().size();
    try {
      for (long at = 0; at < size && !closed; ) {
        List<Extent> extents = remote.extents(at, Math.min(HOLE_WINDOW, size - at));
        if (extents.isEmpty()) {
          throw new IOException("no extents at " + at);
        }
        for (Extent extent : extents) {
          if (extent.hole()) {
            store.installHole(extent.offset(), extent.length());
          }
          at = extent.end();
        }
      }
    } catch (IOException | RuntimeException e) {
      // Only an optimization: what is not known to be a hole is pulled.
      LOG.log(System.Logger.Level.DEBUG, "holes are not known: " + e.getMessage());
    }
  }

  /** Ends the workers and waits for them. The fetcher is closed first, which ends their waits. */
  @Override
  public void close() {
    List<Thread> all;
    synchronized (this) {
      closed = true;
      all = List.copyOf(threads);
    }
    all.forEach(Thread::interrupt);
    boolean interrupted = false;
    for (Thread thread : all) {
      try {
        thread.join(CLOSE_PATIENCE);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
