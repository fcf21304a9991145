package dev.r3map.cli;

import dev.r3map.cli.doctor.Checks;
import dev.r3map.cli.doctor.Finding;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.JsonObject;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;

/** Says what works here. */
@Command(
    name = "doctor",
    header = "Say what works on this host, and why the rest does not.",
    description = {"", "Exits with 0 if resources can be mounted here, and with 1 if not.", ""},
    footerHeading = "%n@|bold Examples|@%n",
    footer = {"  r3map doctor", "  r3map doctor --json"})
final class DoctorCommand extends ConsoleCommand {
  @Override
  int run(Console console) {
    List<Finding> findings = Checks.all();
    if (console.usesJson()) {
      findings.forEach(finding -> console.result(json(finding)));
    } else {
      findings.forEach(finding -> console.result(line(finding)));
    }
    return findings.stream().anyMatch(Finding::isFatal) ? ExitCode.FAILED : ExitCode.OK;
  }

  private static String json(Finding finding) {
    return new JsonObject()
        .with("check", finding.name())
        .with("result", finding.result().word())
        .with("text", finding.text())
        .toString();
  }

  private static String line(Finding finding) {
    String mark =
        switch (finding.result()) {
          case WORKS -> "@|green ok|@     ";
          case LIMITED -> "@|yellow limited|@";
          case MISSING -> "@|red missing|@";
        };
    return "%s  %-12s %s".formatted(Ansi.AUTO.string(mark), finding.name(), finding.text());
  }
}
