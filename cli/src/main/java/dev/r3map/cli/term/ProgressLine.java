package dev.r3map.cli.term;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Shows on the console's status line how far something is. */
public final class ProgressLine {
  /** As often as the eye follows. */
  private static final Duration TICK = Duration.ofMillis(100);

  /** The rate shown is that of about this time, so that it can be read and yet follows. */
  private static final double RATE_SECONDS = 2;

  private static final int DEFAULT_COLUMNS = 80;

  /** What is beside the bar in most cases; so the bar keeps its length while that changes. */
  private static final int LONGEST_TEXT = 59;

  private static final int MAX_BAR = 40;
  private static final int MIN_BAR = 5;

  /**
   * How far it is.
   *
   * @param done bytes
   * @param total bytes
   * @param note what else to say, or nothing
   */
  public record State(long done, long total, String note) {}

  private final Console console;
  private final Supplier<State> source;
  private int columns;
  private long lastNanos = System.nanoTime();
  private long lastDone = -1;
  private double rate;

  private ProgressLine(Console console, Supplier<State> source) {
    this.console = console;
    this.source = source;
  }

  /** Begins to show what {@code source} says, until the result is closed. */
  public static Ticker show(Console console, Supplier<State> source) {
    return Ticker.every(TICK, "progress", new ProgressLine(console, source)::draw);
  }

  private void draw() {
    if (columns == 0) {
      columns = columns();
    }
    State state = source.get();
    measure(state.done());
    console.status(render(state, rate, columns - 1));
  }

  private void measure(long done) {
    long now = System.nanoTime();
    double seconds = (now - lastNanos) / 1e9;
    if (lastDone >= 0 && seconds > 0) {
      double current = Math.max(0, done - lastDone) / seconds;
      double weight = rate == 0 ? 1 : 1 - Math.exp(-seconds / RATE_SECONDS);
      rate += weight * (current - rate);
    }
    lastNanos = now;
    lastDone = done;
  }

  static String render(State state, double bytesPerSecond, int width) {
    double fraction = state.total() == 0 ? 1 : (double) state.done() / state.total();
    StringBuilder text = new StringBuilder();
    text.append(
        "%3d %%  %s of %s"
            .formatted(
                (int) Math.floor(100 * fraction),
                Human.bytes(state.done()),
                Human.bytes(state.total())));
    if (bytesPerSecond >= 1 && state.done() < state.total()) {
      double left = (state.total() - state.done()) / bytesPerSecond;
      text.append("  ").append(Human.rate(bytesPerSecond));
      text.append("  %s left".formatted(Human.duration(wholeSeconds(left))));
    }
    if (!state.note().isEmpty()) {
      text.append("  ").append(state.note());
    }
    int bar = Math.min(MAX_BAR, width - LONGEST_TEXT);
    if (bar >= MIN_BAR) {
      int full = (int) (bar * fraction);
      text.insert(0, "[%s%s]  ".formatted("=".repeat(full), " ".repeat(bar - full)));
    }
    return text.substring(0, Math.min(text.length(), width));
  }

  private static Duration wholeSeconds(double seconds) {
    return Duration.ofSeconds(Math.max(1, Math.round(Math.min(seconds, 1e9))));
  }

  /** Asks stty(1), because the JDK does not know; about 5 ms, in a thread that has the time. */
  private static int columns() {
    try {
      Process stty = new ProcessBuilder("stty", "size").redirectInput(new File("/dev/tty")).start();
      if (stty.waitFor(1, TimeUnit.SECONDS)) {
        String size = new String(stty.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int found = Integer.parseInt(size.strip().replaceFirst("^\\d+ ", ""));
        return found > 0 ? found : DEFAULT_COLUMNS;
      }
      stty.destroy();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException | NumberFormatException e) {
      // No terminal to control, or no stty: the line is as long as terminals used to be.
      return DEFAULT_COLUMNS;
    }
    return DEFAULT_COLUMNS;
  }
}
