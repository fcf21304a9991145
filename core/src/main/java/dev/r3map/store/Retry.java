package dev.r3map.store;

import dev.r3map.backend.PermanentIOException;
import java.io.IOException;
import java.time.Duration;
import java.util.function.BooleanSupplier;

/**
 * Tries a remote call again until it succeeds, cannot succeed, or has taken too long. What a
 * backend throws beside {@link IOException} becomes one, and is not tried again.
 */
final class Retry {
  private final long timeoutNanos;
  private final BooleanSupplier closed;

  /**
   * @param timeout after which no further try is begun
   * @param closed ends the trying early
   */
  Retry(Duration timeout, BooleanSupplier closed) {
    this.timeoutNanos = timeout.toNanos();
    this.closed = closed;
  }

  /** A remote call; may be made several times. */
  interface Call {
    void run() throws IOException;
  }

  void run(Call call) throws IOException {
    long deadline = System.nanoTime() + timeoutNanos;
    Backoff backoff = null;
    while (true) {
      try {
        call.run();
        return;
      } catch (PermanentIOException e) {
        throw e;
      } catch (RuntimeException | Error e) {
        throw new IOException(e);
      } catch (IOException e) {
        if (closed.getAsBoolean()
            || Thread.currentThread().isInterrupted()
            || System.nanoTime() - deadline >= 0) {
          throw e;
        }
        backoff = backoff == null ? new Backoff() : backoff;
        backoff.sleep(deadline, e);
      }
    }
  }
}
