package dev.r3map.cli;

import dev.r3map.cli.term.Console;
import picocli.CommandLine.Command;

/** x. */
@Command(name = "demo")
final class DemoCommand extends ConsoleCommand {
  @Override
  int run(Console console) {
    return 0;
  }
}
