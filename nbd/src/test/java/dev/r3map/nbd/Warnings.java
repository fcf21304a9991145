package dev.r3map.nbd;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** What the server logs that an operator would have to look at, until it is closed. */
final class Warnings extends Handler implements AutoCloseable {
  /** Held, for the log manager forgets loggers that nobody has. */
  private final Logger logger = Logger.getLogger("dev.r3map.nbd");

  private final Queue<String> seen = new ConcurrentLinkedQueue<>();

  Warnings() {
    setLevel(Level.WARNING);
    logger.addHandler(this);
  }

  /** So far. */
  List<String> seen() {
    return List.copyOf(seen);
  }

  @Override
  public void publish(LogRecord warning) {
    if (isLoggable(warning)) {
      seen.add(warning.getMessage() + " " + warning.getThrown());
    }
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    logger.removeHandler(this);
  }
}
