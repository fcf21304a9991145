package dev.r3map.cli;

import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** Prints what teaches a shell to complete the command. */
@Command(
    name = "completion",
    header = "Print a script that completes r3map in the shell.",
    description = {"", "One script serves bash and zsh."},
    footerHeading = "%n@|bold Examples|@%n",
    footer = {
      "  source <(r3map completion)          # here; for good: in ~/.bashrc or ~/.zshrc",
      "  r3map completion bash > /etc/bash_completion.d/r3map"
    })
final class CompletionCommand implements Callable<Integer> {
  /** The shells that the script is for. */
  enum Shell {
    BASH,
    ZSH;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Spec private CommandSpec spec;

  @ParentCommand private R3map root;

  @Parameters(
      arity = "0..1",
      defaultValue = "bash",
      description = "For which: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
  @SuppressWarnings("unused") // checked when it is parsed; one script serves all
  private Shell shell = Shell.BASH;

  @Override
  public Integer call() {
    root.console().result(AutoComplete.bash("r3map", spec.root().commandLine()).stripTrailing());
    return ExitCode.OK;
  }
}
