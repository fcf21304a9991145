package dev.r3map.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

class HelpTest {
  private static final Pattern SPACES = Pattern.compile("\\s+");

  static Stream<CommandLine> commands() {
    return CommandLines.all().getSubcommands().values().stream()
        .filter(command -> !command.getCommandSpec().usageMessage().hidden());
  }

  @ParameterizedTest
  @MethodSource("commands")
  void helpOfEveryCommandTellsWhatItDoesHowItEndsAndGivesExamples(CommandLine command) {
    String help = command.getUsageMessage(Ansi.OFF);

    assertThat(command.getCommandSpec().usageMessage().header()).isNotEmpty();
    assertThat(help).contains("Usage: r3map " + command.getCommandName(), "Exit codes", "Examples");
    assertThat(help.lines()).allMatch(line -> line.length() <= 80, "fits a terminal");
  }

  @ParameterizedTest
  @MethodSource("commands")
  void everyOptionIsExplained(CommandLine command) {
    assertThat(command.getCommandSpec().options())
        .allMatch(option -> option.description().length > 0, "has a description");
  }

  @ParameterizedTest
  @MethodSource("commands")
  void everyExampleOfTheHelpCanBeParsed(CommandLine command) {
    for (List<String> example : examples(command.getCommandSpec().usageMessage().footer())) {
      CommandLines.all().parseArgs(example.toArray(String[]::new));
    }
  }

  @Test
  void anOptionWhoseValueMayBeLeftOutDoesNotTakeTheNextWord() {
    String[] words = {"mount", "--pull-first", "memory:1", "here"};
    CommandLine.ParseResult mount = CommandLines.all().parseArgs(words).subcommand();

    assertThat(mount.matchedOptionValue("--pull-first", 0.0)).isEqualTo(1);
    assertThat(mount.matchedPositionals()).hasSize(2);
    words[1] = "--pull-first=5";
    mount = CommandLines.all().parseArgs(words).subcommand();
    assertThat(mount.matchedOptionValue("--pull-first", 0.0)).isEqualTo(0.05);
  }

  @Test
  void helpOfTheWholeNamesEveryCommandAndNoHiddenOne() {
    String help = CommandLines.all().getUsageMessage(Ansi.OFF);

    assertThat(commands().map(CommandLine::getCommandName)).allMatch(help::contains);
    assertThat(help).doesNotContain("train");
    assertThat(help.lines()).allMatch(line -> line.length() <= 80, "fits a terminal");
  }

  @Test
  void onlyTheCommandThatIsAskedForIsDescribedButAllAreInTheHelp() {
    CommandLine one = CommandLines.create(Map.of("version", VersionCommand::new));

    assertThat(one.getSubcommands()).containsOnlyKeys("version");
    assertThat(CommandLines.all().getSubcommands()).hasSizeGreaterThan(8);
  }

  /** The arguments of each line that calls the command. */
  private static List<List<String>> examples(String[] footer) {
    List<List<String>> examples = new ArrayList<>();
    String text = String.join("\n", footer).replace("\\\n", " ");
    for (String line : text.lines().toList()) {
      String call = line.replaceFirst("#.*", "").replaceFirst(">.*", "").strip();
      int at = call.indexOf("r3map ");
      if (at >= 0 && !call.contains("<(")) {
        examples.add(List.of(SPACES.split(call.substring(at + "r3map ".length()).strip())));
      }
    }
    assertThat(examples.size() + (text.contains("<(") ? 1 : 0)).isPositive();
    return examples;
  }
}
