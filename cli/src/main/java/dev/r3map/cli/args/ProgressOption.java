package dev.r3map.cli.args;

import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.ProgressLine;
import dev.r3map.cli.term.Ticker;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Whether to show progress. */
public final class ProgressOption {
  private @Nullable Boolean wanted;

  @Option(
      names = "--progress",
      negatable = true,
      description = "Show a progress bar, or do not. Default: if standard error is a terminal.")
  public void want(boolean shown) {
    wanted = shown;
  }

  /** Progress that is shown, or is not, until this is closed. */
  public interface Shown extends AutoCloseable {
    @Override
    void close();
  }

  /** Shows progress if that is wanted. */
  public Shown show(Console console, Supplier<ProgressLine.State> source) {
    if (!isWanted(console)) {
      return () -> {};
    }
    Ticker line = ProgressLine.show(console, source);
    return () -> {
      line.close();
      console.status("");
    };
  }

  public boolean isWanted(Console console) {
    return wanted != null ? wanted : !console.isQuiet() && Console.isTerminal();
  }
}
