package dev.r3map.cli.args;

import java.util.Map;
import java.util.Stack;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Takes the value of an option whose value may be left out only from {@code --option=VALUE}: the
 * word after {@code --option} is an argument of its own.
 */
final class AttachedOnly implements IParameterPreprocessor {
  @Override
  @SuppressWarnings("JdkObsolete") // picocli's choice of a stack
  public boolean preprocess(
      Stack<String> words, CommandSpec command, ArgSpec option, Map<String, Object> info) {
    if (" ".equals(info.get("separator"))) {
      words.push(((OptionSpec) option).fallbackValue());
    }
    return false;
  }
}
