package dev.r3map.cli.term;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Supplier;

/**
 * Where a command speaks: results on standard output, everything else on standard error. At the
 * bottom of a terminal there may be a status line, which the messages do not run into. Thread-safe.
 */
public final class Console {
  private static final String PREFIX = "r3map: ";
  private static final String ERASE_LINE = "\r\033[K";

  private PrintStream out;
  private PrintStream err;
  private boolean quiet;
  private int verbosity;
  private boolean json;
  private String status = "";

  public Console(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  /** Speaks elsewhere from now on. */
  public synchronized void moveTo(PrintStream newOut, PrintStream newErr) {
    out.flush();
    err.flush();
    out = newOut;
    err = newErr;
    status = "";
  }

  /** Only results and errors from now on. */
  public void beQuiet() {
    quiet = true;
  }

  public void beVerbose(int level) {
    verbosity = level;
  }

  /** Results and events as JSON from now on. */
  public void useJson() {
    json = true;
  }

  public boolean isQuiet() {
    return quiet;
  }

  /** How often -v was given. */
  public int verbosity() {
    return verbosity;
  }

  public boolean usesJson() {
    return json;
  }

  /** What the command was asked for. */
  public synchronized void result(String text) {
    erase();
    out.println(text);
    out.flush();
    redraw();
  }

  /** Tells a machine what happened; nothing unless JSON was asked for. */
  public void event(Supplier<JsonObject> event) {
    if (json) {
      result(event.get().toString());
    }
  }

  /** Tells a person what happens. */
  public void say(String message) {
    if (!quiet) {
      error(message);
    }
  }

  /** Tells what went wrong, also when quiet. */
  public void error(String message) {
    line(PREFIX + Secrets.mask(message));
  }

  /** A line of standard error as it is. */
  public synchronized void line(String text) {
    erase();
    err.println(text);
    redraw();
  }

  /** Shows a line that stays the last one until it is replaced; none if empty. */
  public synchronized void status(String line) {
    if (!line.equals(status)) {
      erase();
      status = line;
      redraw();
    }
  }

  private void erase() {
    if (!status.isEmpty()) {
      err.print(ERASE_LINE);
    }
  }

  private void redraw() {
    if (!status.isEmpty()) {
      err.print(status);
    }
    err.flush();
  }

  /** Whether standard error is a terminal, which somebody looks at. */
  public static boolean isTerminal() {
    try {
      String device = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
      return device.startsWith("/dev/pts/")
          || device.startsWith("/dev/tty")
          || device.equals("/dev/console");
    } catch (IOException e) {
      return false;
    }
  }
}
