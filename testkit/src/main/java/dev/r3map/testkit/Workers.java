package dev.r3map.testkit;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Does the same at the same time in many threads, virtual and platform ones in turn. */
final class Workers {
  private Workers() {}

  interface Work {
    void run(int worker) throws Exception;
  }

  /**
   * Returns when all have ended; throws what the first one threw, and the others' as suppressed.
   */
  static void run(int count, Work work) throws Exception {
    CountDownLatch start = new CountDownLatch(count);
    List<Future<?>> ends = new ArrayList<>();
    try (ExecutorService virtual = Executors.newVirtualThreadPerTaskExecutor();
        ExecutorService platform = Executors.newCachedThreadPool()) {
      for (int i = 0; i < count; i++) {
        int worker = i;
        ends.add(
            (worker % 2 == 0 ? platform : virtual)
                .submit(() -> {
                  start.countDown();
                  start.await();
                  work.run(worker);
                  return null;
                }));
      }
    }
    Throwable failure = null;
    for (Future<?> end : ends) {
      try {
        end.get();
      } catch (ExecutionException e) {
        if (failure == null) {
          failure = e.getCause();
        } else if (!failure.equals(e.getCause())) {
          failure.addSuppressed(e.getCause());
        }
      }
    }
    switch (failure) {
      case null -> {}
      case Exception e -> throw e;
      case Error e -> throw e;
      case Throwable t -> throw new AssertionError(t);
    }
  }
}
