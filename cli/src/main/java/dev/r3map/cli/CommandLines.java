package dev.r3map.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

/** Puts the command and its subcommands together. */
final class CommandLines {
  private static final Map<String, Supplier<Object>> COMMANDS = new LinkedHashMap<>();

  static {
    COMMANDS.put("serve", ServeCommand::new);
    COMMANDS.put("mount", MountCommand::new);
    COMMANDS.put("copy", CopyCommand::new);
    COMMANDS.put("info", InfoCommand::new);
    COMMANDS.put("demo", DemoCommand::new);
    COMMANDS.put("doctor", DoctorCommand::new);
    COMMANDS.put("completion", CompletionCommand::new);
    COMMANDS.put("version", VersionCommand::new);
    COMMANDS.put("train", TrainCommand::new);
  }

  private CommandLines() {}

  /** Parses the arguments and does what they say; returns the exit code. */
  static int execute(String... arguments) {
    Supplier<Object> command = arguments.length == 0 ? null : COMMANDS.get(arguments[0]);
    // Each command costs 20 ms to describe, so where one will do there is only that.
    boolean one = command != null && !arguments[0].equals("completion");
    return create(one ? Map.of(arguments[0], command) : COMMANDS).execute(arguments);
  }

  /** With every command. */
  static CommandLine all() {
    return create(COMMANDS);
  }

  static CommandLine create(Map<String, Supplier<Object>> commands) {
    CommandLine root = new CommandLine(new R3map());
    commands.forEach((name, command) -> root.addSubcommand(name, command.get()));
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
