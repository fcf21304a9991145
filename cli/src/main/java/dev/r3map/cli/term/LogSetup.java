package dev.r3map.cli.term;

import java.util.function.Consumer;
import java.util.logging.Formatter;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Sends log messages to the console: warnings, and more for each -v. The JDK's own logging is used
 * because it starts three times as fast as logback; it makes an object of this class when the first
 * message or logger wants it to, and so not at all in short commands.
 */
public final class LogSetup {
  private static volatile Console console = new Console(System.out, System.err);

  /** Loggers are kept by weak references only, and with them their levels. */
  private static volatile @Nullable Logger ours;

  /** For {@link LogManager}, which calls it by reflection. */
  public LogSetup() {
    Logger root = Logger.getLogger("");
    root.setLevel(levelOfOthers(console));
    root.addHandler(new ToConsole(console));
    Logger logger = Logger.getLogger("dev.r3map");
    logger.setLevel(level(console));
    ours = logger;
  }

  /** Makes {@code target} the place for log messages, once there are some. */
  public static void to(Console target) {
    console = target;
    System.setProperty("java.util.logging.config.class", LogSetup.class.getName());
  }

  private static Level level(Console console) {
    return switch (console.verbosity()) {
      case 0 -> console.isQuiet() ? Level.SEVERE : Level.WARNING;
      case 1 -> Level.INFO;
      default -> Level.FINE;
    };
  }

  /** Libraries are talkative. */
  private static Level levelOfOthers(Console console) {
    return switch (console.verbosity()) {
      case 0 -> Level.SEVERE;
      case 1 -> Level.WARNING;
      case 2 -> Level.INFO;
      default -> Level.FINE;
    };
  }

  private static final class ToConsole extends Handler {
    private final Console target;
    private final Formatter words = new SimpleFormatter();

    ToConsole(Console target) {
      this.target = target;
    }

    @Override
    public void publish(LogRecord message) {
      if (isLoggable(message)) {
        target.error(format(message));
      }
    }

    private String format(LogRecord message) {
      String text =
          "%s: %s".formatted(nameOf(message.getLevel()), words.formatMessage(message));
      Throwable thrown = message.getThrown();
      if (target.verbosity() == 0) {
        return thrown == null ? text : text + " (" + Errors.describe(thrown) + ")";
      }
      String where = "%tT.%<tL %s ".formatted(message.getMillis(), message.getLoggerName());
      return where + text + (thrown == null ? "" : "\n" + stack(thrown));
    }

    private static String nameOf(Level level) {
      return level.intValue() <= Level.FINE.intValue()
          ? "debug"
          : level.getName().toLowerCase(Locale.ROOT);
    }

    private static String stack(Throwable thrown) {
      StringWriter stack = new StringWriter();
      thrown.printStackTrace(new PrintWriter(stack));
      return stack.toString().stripTrailing();
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }
}
