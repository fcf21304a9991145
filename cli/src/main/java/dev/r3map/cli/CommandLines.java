package dev.r3map.cli;

import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

/** Puts the command and its subcommands together. */
final class CommandLines {
  private CommandLines() {}

  static CommandLine create() {
    CommandLine root = new CommandLine(new R3map());
    root.addSubcommand(new ServeCommand())
        .addSubcommand(new MountCommand())
        .addSubcommand(new CopyCommand())
        .addSubcommand(new InfoCommand())
        .addSubcommand(new DemoCommand())
        .addSubcommand(new DoctorCommand())
        .addSubcommand(new CompletionCommand())
        .addSubcommand(new VersionCommand())
        .addSubcommand(new TrainCommand());
    root.setParameterExceptionHandler(ErrorReports::usage)
        .setExecutionExceptionHandler(ErrorReports::failure)
        .setColorScheme(CommandLine.Help.defaultColorScheme(Ansi.AUTO))
        .setUsageHelpAutoWidth(true)
        .setCaseInsensitiveEnumValuesAllowed(true);
    root.getSubcommands()
        .values()
        .forEach(command ->
            command
                .getCommandSpec()
                .usageMessage()
                .abbreviateSynopsis(true)
                .sortOptions(false)
                .exitCodeListHeading("%n@|bold Exit codes|@%n")
                .exitCodeList(ExitCode.explained()));
    return root;
  }
}
