package dev.r3map.nbd.server;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** What the connections of one server share. Thread-safe. */
public final class Service {
  private final Exports exports;
  private final @Nullable Encryption encryption;
  private final Buffers buffers;
  private final Set<Thread> workers = ConcurrentHashMap.newKeySet();
  private volatile boolean stopping;

  /**
   * @param encryption null if there is only plaintext
   * @param memory bytes of payload that all connections together may hold
   */
  public Service(Exports exports, @Nullable Encryption encryption, long memory) {
    this.exports = exports;
    this.encryption = encryption;
    this.buffers = new Buffers(memory);
  }

  Exports exports() {
    return exports;
  }

  @Nullable Encryption encryption() {
    return encryption;
  }

  Buffers buffers() {
    return buffers;
  }

  boolean isStopping() {
    return stopping;
  }

  /** Requests that come from now on are refused. */
  public void stop() {
    stopping = true;
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
    worker.start();
  }
}
