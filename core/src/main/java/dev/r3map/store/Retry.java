package dev.r3map.store;

import dev.r3map.backend.PermanentIOException;
import java.io.IOException;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Tries a remote call again until it succeeds, cannot succeed, or has taken too long. What a
 * backend throws beside {@link IOException} becomes one, and is not tried again unless it is a lack
 * of memory.
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
    @Nullable Backoff backoff = null;
    while (true) {
      try {
        call.run();
        return;
      } catch (PermanentIOException e) {
        throw e;
      } catch (OutOfMemoryError e) {
        // Others may give some back.
        backoff = again(deadline, backoff, new IOException(e));
      } catch (RuntimeException | Error e) {
        throw new IOException(e);
      } catch (IOException e) {
        backoff = again(deadline, backoff, e);
      }
    }
  }

  private Backoff again(long deadline, @Nullable Backoff former, IOException e) throws IOException {
    if (closed.getAsBoolean()
        || Thread.currentThread().isInterrupted()
        || System.nanoTime() - deadline >= 0) {
      throw e;
    }
    Backoff backoff = former == null ? new Backoff() : former;
    backoff.sleep(deadline, e);
    return backoff;
  }
}
