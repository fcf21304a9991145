package dev.r3map.cli;

import dev.r3map.cli.term.Console;
import java.util.concurrent.Callable;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/** A subcommand that speaks to people, or with --json to machines. */
abstract class ConsoleCommand implements Callable<Integer> {
  @ParentCommand private R3map root;

  @Option(
      names = "--json",
      description = "Write results and events to standard output as JSON, one object a line.")
  private boolean json;

  @Override
  public final Integer call() throws Exception {
    if (json) {
      root.console().useJson();
    }
    return run(root.console());
  }

  /** Does the work; returns the exit code. */
  abstract int run(Console console) throws Exception;
}
