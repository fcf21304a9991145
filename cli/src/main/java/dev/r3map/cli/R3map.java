package dev.r3map.cli;

import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.LogSetup;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command itself, and the options of all its subcommands. */
@Command(
    name = "r3map",
    header = "Use a remote resource as a local file.",
    description = {
      "",
      "A resource is anything with a fixed number of bytes:",
      "  @|bold ./disk.img|@, @|bold file:///srv/disk.img|@   a file or block device of this host",
      "  @|bold grpc://host:1337|@, @|bold grpcs://host|@     what 'r3map serve' offers elsewhere",
      "  @|bold grpc+unix:///run/r3map.sock|@      the same through a Unix socket",
      "  @|bold nbd://host/export|@                what any NBD server exports",
      "  @|bold memory:1GiB|@                      zeros in memory, for trials",
      "Sizes are written 4096, 256KiB, 1GiB; times 150ms, 20s, 2m.",
      ""
    },
    synopsisSubcommandLabel = "COMMAND",
    footerHeading = "%n@|bold Start here|@%n",
    footer = {
      "  r3map demo                                   # all of it, on this host",
      "  r3map serve disk.img                         # on the host that has it",
      "  r3map mount grpc://127.0.0.1:1337 here.img   # where it is wanted",
      "  r3map COMMAND --help                         # more, with examples",
      "  source <(r3map completion)                   # Tab in bash and zsh"
    })
final class R3map implements Callable<Integer> {
  @Spec private CommandSpec spec;

  private final Console console = new Console(System.out, System.err);

  R3map() {
    LogSetup.to(console);
  }

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show this help.")
  @SuppressWarnings("unused") // picocli looks at the option and not at the field
  private boolean help;

  @Option(
      names = {"-q", "--quiet"},
      scope = ScopeType.INHERIT,
      description = "Only results and errors.")
  void beQuiet(boolean quiet) {
    if (quiet) {
      console.beQuiet();
    }
  }

  @Option(
      names = {"-v", "--verbose"},
      scope = ScopeType.INHERIT,
      description = "Log more, and show stack traces; -vv and -vvv log even more.")
  void beVerbose(boolean[] times) {
    console.beVerbose(times.length);
  }

  Console console() {
    return console;
  }

  /** Without a subcommand there is nothing to do but to say how it is used. */
  @Override
  public Integer call() {
    spec.commandLine().usage(System.err);
    return ExitCode.USAGE;
  }
}
