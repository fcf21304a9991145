package dev.r3map.linux.fuse;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/** Logs what goes wrong with one mount, but not every request of a program that never gives up. */
final class FailureLog {
  private static final Logger LOGGER = System.getLogger("dev.r3map.linux.fuse");

  /** One line for a second of trouble is enough to see what it is and that it goes on. */
  private static final long PAUSE = Duration.ofSeconds(1).toNanos();

  private final String name;
  private final AtomicLong next = new AtomicLong(System.nanoTime());
  private final AtomicLong unsaid = new AtomicLong();

  /**
   * For one mount.
   *
   * @param name of the mount and of what is mounted
   */
  FailureLog(String name) {
    this.name = name;
  }

  /** A request that failed. */
  void failed(String action, long offset, long length, Throwable cause) {
    long now = System.nanoTime();
    long due = next.get();
    if (now - due < 0 || !next.compareAndSet(due, now + PAUSE)) {
      unsaid.incrementAndGet();
      return;
    }
    long before = unsaid.getAndSet(0);
    LOGGER.log(
        Level.WARNING,
        () ->
            "%s failed (offset=%d, length=%d): %s: %s%s"
                .formatted(
                    action,
                    offset,
                    length,
                    name,
                    cause,
                    before == 0 ? "" : " (and " + before + " failures before)"));
    LOGGER.log(Level.DEBUG, action + " failed: " + name, cause);
  }

  /** Something that happens at most a few times in the life of a mount. */
  void warn(String message, Throwable cause) {
    LOGGER.log(Level.WARNING, message + ": " + name + ": " + cause);
    LOGGER.log(Level.DEBUG, message + ": " + name, cause);
  }

  /** Something that happens at most a few times in the life of a mount. */
  void warn(String message) {
    LOGGER.log(Level.WARNING, message + ": " + name);
  }

  /** What works less well here than elsewhere, and why. */
  void note(String message) {
    LOGGER.log(Level.DEBUG, message + ": " + name);
  }
}
