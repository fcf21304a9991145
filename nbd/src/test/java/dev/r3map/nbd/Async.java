package dev.r3map.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Things that happen beside the test. */
final class Async {
  private static final Duration SOON = Duration.ofSeconds(10);

  private Async() {}

  interface Action {
    void run() throws Exception;
  }

  /** Does something on a thread of its own. */
  static CompletableFuture<Void> run(Action action) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            action.run();
            done.complete(null);
          } catch (Throwable e) {
            done.completeExceptionally(e);
          }
        });
    return done;
  }

  /** Gives a client so much to do that it makes as many connections as it may. */
  static void busy(NbdBackend backend, int connections) throws Exception {
    AtomicBoolean enough = new AtomicBoolean();
    CompletableFuture<?>[] readers = new CompletableFuture<?>[16];
    for (int i = 0; i < readers.length; i++) {
      readers[i] =
          run(() -> {
            while (!enough.get()) {
              backend.read(ByteBuffer.allocateDirect(64 << 10), 0);
            }
          });
    }
    try {
      await(() -> backend.connections() == connections);
    } finally {
      enough.set(true);
    }
    CompletableFuture.allOf(readers).get(10, TimeUnit.SECONDS);
  }

  /** Returns once something is so, which must be soon. */
  static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + SOON.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      LockSupport.parkNanos(1_000_000);
    }
  }
}
