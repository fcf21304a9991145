package dev.r3map.cli;

import dev.r3map.cli.term.Console;
import picocli.CommandLine.Command;

/** x. */
@Command(name = "doctor")
final class DoctorCommand extends ConsoleCommand {
  @Override
  int run(Console console) {
    return 0;
  }
}
