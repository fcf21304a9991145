package dev.r3map.cli.term;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.logging.Level;
import java.util.logging.LogManager;

/**
 * Sends log messages to the console: warnings, and more for each -v. The JDK's own logging is used
 * because it starts three times as fast as logback; it makes an object of this class when somebody
 * wants a logger, and thus not at all in short commands.
 */
public final class LogSetup {
  private static volatile Console console = new Console(System.out, System.err);

  /** For {@link LogManager}, which calls it by reflection. */
  public LogSetup() throws IOException {
    String properties =
        """
        handlers = %s
        .level = %s
        dev.r3map.level = %s
        io.grpc.netty.NettyClientHandler.level = %s
        io.grpc.netty.NettyServerHandler.level = %<s
        """
            .formatted(LogToConsole.class.getName(), levelOfOthers(), level(), levelOfStreams());
    LogManager.getLogManager()
        .readConfiguration(new ByteArrayInputStream(properties.getBytes(ISO_8859_1)));
  }

  /** Makes {@code target} the place for log messages, once there are some. */
  public static void to(Console target) {
    console = target;
    System.setProperty("java.util.logging.config.class", LogSetup.class.getName());
  }

  static Console console() {
    return console;
  }

  private static Level level() {
    return switch (console.verbosity()) {
      case 0 -> console.isQuiet() ? Level.SEVERE : Level.WARNING;
      case 1 -> Level.INFO;
      default -> Level.FINE;
    };
  }

  /**
   * They warn of every reply that its caller does not wait for any more, which is how a pull ends
   * when its mount does. And they are never to say more, for then they log every header, and the
   * token is one.
   */
  private static Level levelOfStreams() {
    return console.verbosity() < 2 ? Level.SEVERE : Level.INFO;
  }

  /** Libraries are talkative. */
  private static Level levelOfOthers() {
    return switch (console.verbosity()) {
      case 0 -> Level.SEVERE;
      case 1 -> Level.WARNING;
      case 2 -> Level.INFO;
      default -> Level.FINE;
    };
  }
}
