package dev.r3map.cli.mount;

import dev.r3map.Region;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Errors;
import dev.r3map.cli.term.Human;
import dev.r3map.cli.term.Ticker;
import java.io.IOException;
import java.time.Duration;

/**
 * Pushes what is left before the local copy goes away. Does not give up by itself: as long as this
 * process lives, nothing is lost. Run by one thread; others may ask what is left.
 */
public final class LastPush {
  private static final Duration PAUSE = Duration.ofSeconds(1);

  /** Longer than a push takes when nothing is wrong, and not too long for who waits. */
  private static final Duration REMINDER = Duration.ofSeconds(5);

  private final Console console;
  private final Region region;
  private final boolean direct;
  private String lastReason = "";

  /** What was dirty when the push began: what is on its way counts as clean in the region. */
  private volatile long owed;

  public LastPush(Console console, Region region, boolean direct) {
    this.console = console;
    this.region = region;
    this.direct = direct;
  }

  /** Bytes that the remote may not have. */
  long left() {
    return Math.max(owed, region.progress().dirty());
  }

  /**
   * Returns when the remote has everything.
   *
   * @throws IOException if it never will, and nothing is gained by waiting
   */
  public void run() throws IOException, InterruptedException {
    if (region.readOnly()) {
      return;
    }
    owed = left();
    long begun = System.nanoTime();
    try (var _ = Ticker.every(REMINDER, "reminder", () -> remind(begun))) {
      while (!tries()) {
        Thread.sleep(PAUSE);
      }
    }
    owed = 0;
  }

  private boolean tries() throws IOException {
    try {
      region.sync();
      return true;
    } catch (IOException e) {
      // A direct mount has no copy to try again with, and a refusal stays one.
      if (direct || (left() == 0 && e instanceof PermanentIOException)) {
        throw e;
      }
      String reason = Errors.describe(e);
      if (!reason.equals(lastReason)) {
        lastReason = reason;
        console.error("cannot push yet, but keeps trying: " + reason);
      }
      return false;
    }
  }

  private void remind(long begun) {
    if (System.nanoTime() - begun > REMINDER.toNanos() / 2) {
      console.say("still %s to push; Ctrl-C gives up".formatted(Human.bytes(left())));
    }
  }
}
