package dev.r3map;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** How tests wait: for a condition, never for a time. */
public final class Waiting {
  private Waiting() {}

  /** A call that may fail. */
  public interface Call<T> {
    T get() throws IOException;
  }

  /** A call without a result that may fail. */
  public interface Task {
    void run() throws IOException;
  }

  public static void forLatch(CountDownLatch latch) throws IOException {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new InterruptedIOException("interrupted");
    }
  }

  /** Like a call that hangs and heeds no interrupt. */
  public static void stubbornly(CountDownLatch latch) {
    boolean interrupted = false;
    while (latch.getCount() > 0) {
      try {
        latch.await();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  public static void until(BooleanSupplier condition) {
    while (!condition.getAsBoolean()) {
      if (Thread.interrupted()) {
        throw new AssertionError("waited in vain"); // the test's timeout
      }
      LockSupport.parkNanos(1_000_000);
    }
  }

  /** False if the condition did not hold within {@code most}: for what must not happen. */
  public static boolean until(BooleanSupplier condition, Duration most) {
    long deadline = System.nanoTime() + most.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadline > 0) {
        return false;
      }
      LockSupport.parkNanos(1_000_000);
    }
    return true;
  }

  public static <T> CompletableFuture<T> supply(Call<T> call) {
    CompletableFuture<T> future = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            future.complete(call.get());
          } catch (Throwable e) {
            future.completeExceptionally(e);
          }
        });
    return future;
  }

  public static CompletableFuture<Boolean> run(Task task) {
    return supply(() -> {
      task.run();
      return true;
    });
  }
}
