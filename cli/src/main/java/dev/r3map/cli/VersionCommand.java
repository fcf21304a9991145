package dev.r3map.cli;

import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.JsonObject;
import picocli.CommandLine.Command;

/** Says which r3map, JDK and system these are. */
@Command(
    name = "version",
    header = "Show the version of r3map, of the JDK and of the system.",
    description = "",
    footerHeading = "%n@|bold Examples|@%n",
    footer = {"  r3map version", "  r3map version --json"})
final class VersionCommand extends ConsoleCommand {
  @Override
  int run(Console console) {
    String jdk = System.getProperty("java.runtime.version");
    String vendor = System.getProperty("java.vendor");
    String system = System.getProperty("os.name") + " " + System.getProperty("os.version");
    String architecture = System.getProperty("os.arch");
    if (console.usesJson()) {
      console.result(
          new JsonObject()
              .with("version", Version.text())
              .with("jdk", jdk)
              .with("jdkVendor", vendor)
              .with("system", system)
              .with("architecture", architecture)
              .toString());
    } else {
      console.result("r3map " + Version.text());
      console.result("JDK %s (%s)".formatted(jdk, vendor));
      console.result("%s %s".formatted(system, architecture));
    }
    return ExitCode.OK;
  }
}
