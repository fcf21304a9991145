package dev.r3map.cli;

/** Ends a command with a message for the user and an exit code. */
public final class CommandFailure extends Exception {
  private static final long serialVersionUID = 1L;

  private final int exitCode;

  public CommandFailure(String message) {
    this(ExitCode.FAILED, message);
  }

  public CommandFailure(int exitCode, String message) {
    super(message);
    this.exitCode = exitCode;
  }

  /** Somebody stopped the command before it was done. */
  public static CommandFailure interrupted(String message) {
    return new CommandFailure(ExitCode.INTERRUPTED, message);
  }

  int exitCode() {
    return exitCode;
  }
}
