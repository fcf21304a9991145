package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.PermanentIOException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Pulls the whole resource in the background. Owns its virtual threads until {@link #close}.
 *
 * <p>With a fixed number of workers, that many chunks are in flight. The adaptive form starts with
 * a few workers and looks, period by period, whether more of them moved more bytes: if so it goes
 * on adding, otherwise it goes back to the number before and stays. Few in flight keep the queue
 * short that a reader's fetch stands in; many are needed only where the round trip is long.
 *
 * <p>A chunk that fails is handed out again later, and the worker pauses; the pull ends when every
 * chunk is local, or at once when the remote says that no other try can help.
 */
final class Puller implements AutoCloseable {
  /** Let the puller choose. */
  static final int ADAPTIVE = -1;

  private static final System.Logger LOG = System.getLogger(Puller.class.getName());

  /** Enough to hide the gaps between one chunk and the next without a round trip worth naming. */
  private static final int FIRST_WORKERS = 4;

  /** More workers must move at least this much more to be worth their queue. */
  private static final double WORTH = 1.15;

  /** Short beside a pull that anybody waits for, long beside scheduling noise. */
  private static final long PERIOD_MILLIS = 50;

  /** So much of the resource is asked about at a time when looking for holes. */
  private static final long HOLE_WINDOW = 1L << 30;

  private final Backend remote;
  private final ChunkStore store;
  private final Fetcher fetcher;
  private final PullOrder order;
  private final int mostWorkers;
  private final boolean adaptive;
  private final long timeoutNanos;
  private final LongAdder pulledBytes = new LongAdder();
  private final AtomicInteger running = new AtomicInteger();
  private final AtomicInteger allowed = new AtomicInteger();
  private final List<Thread> threads = new ArrayList<>();
  private volatile boolean closed;
  private volatile @Nullable IOException fatal;

  Puller(
      Backend remote,
      ChunkStore store,
      Fetcher fetcher,
      PullOrder order,
      int workers,
      int mostAdaptive,
      Duration timeout) {
    this.remote = remote;
    this.store = store;
    this.fetcher = fetcher;
    this.order = order;
    this.adaptive = workers == ADAPTIVE;
    this.mostWorkers = adaptive ? mostAdaptive : workers;
    this.timeoutNanos = timeout.toNanos();
  }

  void start() {
    if (mostWorkers == 0) {
      return;
    }
    allow(adaptive ? Math.min(FIRST_WORKERS, mostWorkers) : mostWorkers);
    launch("r3map-pull-holes", this::findHoles);
    if (adaptive) {
      launch("r3map-pull-adapt", this::adapt);
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
      threads.removeIf(t -> !t.isAlive());
      threads.add(Thread.ofVirtual().name(name).start(task));
    }
  }

  /** Lets {@code workers} run: starts those that are missing; those too many end by themselves. */
  private synchronized void allow(int workers) {
    allowed.set(workers);
    while (running.get() < workers && !closed) {
      running.incrementAndGet();
      launch("r3map-pull", this::work);
    }
  }

  private void work() {
    Backoff backoff = new Backoff();
    try {
      while (!closed && fatal == null && running.get() <= allowed.get()) {
        long chunk = order.next();
        if (chunk < 0) {
          return;
        }
        if (!store.isLocal(chunk)) {
          backoff = pull(chunk, backoff);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      running.decrementAndGet();
    }
  }

  private Backoff pull(long chunk, Backoff backoff) throws InterruptedException {
    try {
      fetcher.pull(chunk, System.nanoTime() + timeoutNanos);
      pulledBytes.add(store.chunks().length(chunk));
      return new Backoff();
    } catch (PermanentIOException e) {
      if (!closed && fatal == null) {
        fatal = e;
        LOG.log(System.Logger.Level.WARNING, "background pull ended: " + e.getMessage());
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

  private void adapt() {
    int workers = allowed.get();
    double before = 0;
    try {
      while (!closed && isActive()) {
        double rate = measure();
        if (rate <= before * WORTH || workers >= mostWorkers) {
          allow(rate <= before * WORTH ? Math.max(1, workers / 2) : workers);
          return;
        }
        before = rate;
        workers = Math.min(workers * 2, mostWorkers);
        allow(workers);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Bytes per second over a period in which every worker finished a chunk or two. */
  private double measure() throws InterruptedException {
    long chunk = store.chunks().chunkSize();
    Thread.sleep(PERIOD_MILLIS / 2); // until the workers just added have their first answers
    long from = pulledBytes.sum();
    long start = System.nanoTime();
    do {
      Thread.sleep(PERIOD_MILLIS);
    } while (!closed && isActive() && pulledBytes.sum() - from < 2 * chunk * allowed.get());
    return (pulledBytes.sum() - from) * 1e9 / (System.nanoTime() - start);
  }

  /** Marks what the remote knows to be zeros, so that it need not travel. */
  private void findHoles() {
    long size = store.chunks().size();
    try {
      for (long at = 0; at < size && !closed; ) {
        List<Extent> extents = remote.extents(at, Math.min(HOLE_WINDOW, size - at));
        for (Extent extent : extents) {
          if (extent.hole()) {
            store.installHole(extent.offset(), extent.length());
          }
          at = extent.end();
        }
      }
    } catch (IOException e) {
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
        thread.join(Duration.ofSeconds(2));
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
