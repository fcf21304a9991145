package dev.r3map.store;

import dev.r3map.backend.Backend;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A remote call on a thread of its own, so that one that hangs, and heeds no interrupt, does not
 * hold up its caller. It must not use what the caller goes on to use afterwards.
 */
final class TimedCall {
  /** A disk may flush for longer than anything else takes, but not for ever. */
  private static final int SYNC_PATIENCE = 2;

  private TimedCall() {}

  /** How long a sync may take where {@code timeout} is for other calls. */
  static Duration forSync(Duration timeout) {
    return timeout.multipliedBy(SYNC_PATIENCE);
  }

  /** Syncs the remote once, within {@link #forSync}. */
  static void sync(Duration timeout, Backend remote) throws IOException {
    var _ =
        within(
            forSync(timeout),
            remote,
            () -> {
              remote.sync();
              return true;
            });
  }

  /** The call's answer; a failure that is no {@link IOException} becomes the cause of one. */
  static <T> T within(Duration timeout, Backend remote, Callable<T> call) throws IOException {
    FutureTask<T> task = new FutureTask<>(call);
    Thread.ofVirtual().name("r3map-call").start(task);
    try {
      return task.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
    } catch (TimeoutException e) {
      throw new IOException("no answer from %s within %s".formatted(remote, timeout), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for " + remote);
    } finally {
      task.cancel(true);
    }
  }
}
