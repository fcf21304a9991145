package dev.r3map.cli.mount;

import dev.r3map.Region;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Errors;
import dev.r3map.cli.term.Human;
import java.io.IOException;
import java.time.Duration;

/**
 * Pushes what is left before the local copy goes away. Does not give up by itself: as long as this
 * process lives, nothing is lost.
 */
final class LastPush {
  private static final Duration PAUSE = Duration.ofSeconds(1);

  private final Console console;
  private final Region region;
  private final boolean direct;
  private String lastReason = "";

  LastPush(Console console, Region region, boolean direct) {
    this.console = console;
    this.region = region;
    this.direct = direct;
  }

  /**
   * Returns when the remote has everything.
   *
   * @throws IOException if it never will, and nothing is gained by waiting
   */
  void run() throws IOException, InterruptedException {
    while (!region.readOnly()) {
      try {
        region.sync();
        return;
      } catch (IOException e) {
        long dirty = region.progress().dirty();
        // A direct mount has no copy to try again with, and a refusal stays one.
        if (direct || (dirty == 0 && e instanceof PermanentIOException)) {
          throw e;
        }
        complain(Errors.describe(e), dirty);
      }
      Thread.sleep(PAUSE);
    }
  }

  private void complain(String reason, long dirty) {
    if (!reason.equals(lastReason)) {
      lastReason = reason;
      console.say(
          "cannot push %s yet: %s; trying on, Ctrl-C gives up"
              .formatted(Human.bytes(dirty), reason));
    }
  }
}
