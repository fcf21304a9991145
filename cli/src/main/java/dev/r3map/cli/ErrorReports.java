package dev.r3map.cli;

import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Errors;
import dev.r3map.cli.term.JsonObject;
import java.io.InterruptedIOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Objects;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** What users see when something went wrong: one line, and the stack if they asked for it. */
final class ErrorReports {
  private ErrorReports() {}

  /** The command line is wrong. */
  static int usage(ParameterException e, String[] args) {
    Console console = console(e.getCommandLine());
    StringWriter suggestions = new StringWriter();
    UnmatchedArgumentException.printSuggestions(e, new PrintWriter(suggestions));
    console.error(lowerFirst(Objects.requireNonNullElse(e.getMessage(), "wrong usage")));
    if (!suggestions.toString().isBlank()) {
      console.line(suggestions.toString().stripTrailing());
    }
    hint(e.getCommandLine(), console);
    return ExitCode.USAGE;
  }

  /** The command failed. */
  static int failure(Exception e, CommandLine command, ParseResult parsed) {
    Console console = console(command);
    int code = exitCode(e);
    String message = Errors.describe(e);
    console.event(() -> JsonObject.event("error").with("message", message).with("exitCode", code));
    console.error(isBug(e) ? "internal error: " + message + "; -v shows where" : message);
    if (console.verbosity() > 0) {
      console.line(Errors.stack(e));
    }
    if (code == ExitCode.USAGE) {
      hint(command, console);
    }
    return code;
  }

  private static int exitCode(Exception e) {
    return switch (e) {
      case CommandFailure failure -> failure.exitCode();
      case InterruptedException _ -> ExitCode.INTERRUPTED;
      case InterruptedIOException _ -> ExitCode.INTERRUPTED;
      case IllegalArgumentException _ -> ExitCode.USAGE;
      default -> ExitCode.FAILED;
    };
  }

  private static boolean isBug(Exception e) {
    return e instanceof RuntimeException && !(e instanceof IllegalArgumentException);
  }

  private static void hint(CommandLine command, Console console) {
    console.line("Try '%s --help'.".formatted(command.getCommandSpec().qualifiedName()));
  }

  private static Console console(CommandLine command) {
    return ((R3map) command.getCommandSpec().root().userObject()).console();
  }

  private static String lowerFirst(String message) {
    return message.isEmpty()
        ? message
        : Character.toLowerCase(message.charAt(0)) + message.substring(1);
  }
}
