package dev.r3map.cli.term;

import java.util.Locale;
import java.util.logging.Formatter;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.SimpleFormatter;

/** Writes log messages to the console, in one line each unless more was asked for. */
public final class LogToConsole extends Handler {
  private final Formatter words = new SimpleFormatter();

  /** For {@link java.util.logging.LogManager}, which calls it by reflection. */
  public LogToConsole() {}

  @Override
  public void publish(LogRecord message) {
    if (isLoggable(message)) {
      LogSetup.console().error(format(message, LogSetup.console().verbosity() > 0));
    }
  }

  private String format(LogRecord message, boolean verbose) {
    String text = nameOf(message.getLevel()) + ": " + words.formatMessage(message);
    Throwable thrown = message.getThrown();
    if (!verbose) {
      return thrown == null ? text : text + " (" + Errors.describe(thrown) + ")";
    }
    String where = "%tT.%<tL %s ".formatted(message.getMillis(), message.getLoggerName());
    return where + text + (thrown == null ? "" : System.lineSeparator() + Errors.stack(thrown));
  }

  private static String nameOf(Level level) {
    return level.intValue() <= Level.FINE.intValue()
        ? "debug"
        : level.getName().toLowerCase(Locale.ROOT);
  }

  @Override
  public void flush() {}

  @Override
  public void close() {}
}
