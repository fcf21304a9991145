package dev.r3map.cli.term;

import java.time.Duration;

/** Does something again and again. Owns a thread until {@link #close}, which waits for it. */
public final class Ticker implements AutoCloseable {
  private final Thread thread;

  private Ticker(Thread thread) {
    this.thread = thread;
  }

  /** Runs {@code action} at once and then after every {@code pause}; it must not block for long. */
  public static Ticker every(Duration pause, String name, Runnable action) {
    Thread thread =
        Thread.ofPlatform()
            .daemon()
            .name(name)
            .start(() -> {
              try {
                while (true) {
                  action.run();
                  Thread.sleep(pause);
                }
              } catch (InterruptedException e) {
                // Closed.
                return;
              }
            });
    return new Ticker(thread);
  }

  @Override
  public void close() {
    thread.interrupt();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
