package dev.r3map.cli.copy;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.cli.term.Errors;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** Does a call again, after a pause, for as long as its failure may be one that passes. */
final class Retrying {
  private static final long FIRST_PAUSE_MILLIS = 50;

  /** Not longer, so that it goes on soon after the other side is back. */
  private static final long LONGEST_PAUSE_MILLIS = 2000;

  private final Duration patience;

  /**
   * @param patience for how long to try
   */
  Retrying(Duration patience) {
    this.patience = patience;
  }

  /** A call that may be made more than once. */
  interface Call<T> {
    T run() throws IOException;
  }

  <T> T run(Call<T> call) throws IOException {
    long deadline = System.nanoTime() + patience.toNanos();
    long pause = FIRST_PAUSE_MILLIS;
    while (true) {
      try {
        return call.run();
      } catch (PermanentIOException | NoSpaceException | InterruptedIOException e) {
        throw e;
      } catch (IOException e) {
        if (Thread.interrupted()) {
          throw interrupted(e);
        }
        if (System.nanoTime() + pause * 1_000_000 > deadline) {
          throw e;
        }
        sleep(pause / 2 + ThreadLocalRandom.current().nextLong(pause), e);
        pause = Math.min(LONGEST_PAUSE_MILLIS, 2 * pause);
      }
    }
  }

  /** The failure with the offset, which not every library tells. */
  static IOException at(long offset, IOException e) {
    return e instanceof InterruptedIOException
        ? e
        : new IOException("at offset %d: %s".formatted(offset, Errors.describe(e)), e);
  }

  private static void sleep(long millis, IOException reason) throws InterruptedIOException {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw interrupted(reason);
    }
  }

  private static InterruptedIOException interrupted(IOException reason) {
    InterruptedIOException interrupted = new InterruptedIOException("interrupted");
    interrupted.addSuppressed(reason);
    return interrupted;
  }
}
