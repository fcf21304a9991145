package dev.r3map.nbd.server;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** What the connections of one server share. Thread-safe. */
public final class Service {
  private final Exports exports;
  private final @Nullable Encryption encryption;
  private final boolean listing;
  private final Buffers buffers;
  private final Duration patience;
  private final Set<Share> shares = ConcurrentHashMap.newKeySet();
  private final Set<Thread> workers = ConcurrentHashMap.newKeySet();
  private volatile boolean stopping;

  /**
   * @param encryption null if there is only plaintext
   * @param listing whether clients may ask what there is
   * @param memory bytes of payload that all connections together may hold
   * @param patience for clients that keep some of it while others wait in vain
   */
  public Service(
      Exports exports,
      @Nullable Encryption encryption,
      boolean listing,
      long memory,
      Duration patience) {
    this.exports = exports;
    this.encryption = encryption;
    this.listing = listing;
    this.patience = patience;
    this.buffers = new Buffers(memory);
  }

  Exports exports() {
    return exports;
  }

  @Nullable Encryption encryption() {
    return encryption;
  }

  boolean isListing() {
    return listing;
  }

  Buffers buffers() {
    return buffers;
  }

  Duration patience() {
    return patience;
  }

  /** A connection that may take memory from now on. */
  void add(Share share) {
    shares.add(share);
  }

  void remove(Share share) {
    shares.remove(share);
  }

  /** Somebody has waited for memory in vain. */
  void endStalled() {
    shares.forEach(Share::endIfStalled);
  }

  boolean isStopping() {
    return stopping;
  }

  /** Requests that come from now on are refused. */
  public void stop() {
    stopping = true;
  }

  /** Bytes of payload that requests hold at present. */
  public long memoryInUse() {
    return buffers.inUse();
  }

  /** Threads that wait for a backend. */
  public List<Thread> workers() {
    return List.copyOf(workers);
  }

  void start(Work work) {
    Thread worker =
        Thread.ofVirtual()
            .name("r3map-nbd-work")
            .unstarted(() -> {
              try {
                work.run();
              } finally {
                workers.remove(Thread.currentThread());
              }
            });
    workers.add(worker);
    try {
      worker.start();
    } catch (OutOfMemoryError e) {
      workers.remove(worker);
      throw e;
    }
  }
}
