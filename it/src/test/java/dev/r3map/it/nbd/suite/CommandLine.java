package dev.r3map.it.nbd.suite;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** nbdkit's command line: options anywhere, a plugin, and its parameters and those of filters. */
final class CommandLine {
  private static final Set<String> WITH_VALUE =
      Set.of("-U", "-P", "-p", "-i", "-e", "-D", "--run", "--mask-handshake");
  private static final Set<String> FLAGS =
      Set.of(
          "-s",
          "-v",
          "-f",
          "-n",
          "-r",
          "--exit-with-parent",
          "--no-sr",
          "--no-eh",
          "--tls-verify-peer");
  private static final String ASSIGNED = "--(filter|tls|tls-certificates)=.*";

  private final Map<String, String> options = new LinkedHashMap<>();
  private final List<String> filters = new ArrayList<>();
  private final List<String> words = new ArrayList<>();

  /**
   * @throws IllegalArgumentException if something is not imitated
   */
  static CommandLine parse(String... arguments) {
    CommandLine line = new CommandLine();
    for (int i = 0; i < arguments.length; i++) {
      String argument = arguments[i];
      if (WITH_VALUE.contains(argument)) {
        line.options.put(argument, arguments[++i]);
      } else if (argument.matches(ASSIGNED)) {
        line.assign(argument);
      } else if (argument.matches("-[svfnr]+")) {
        argument.chars().skip(1).forEach(flag -> line.options.put("-" + (char) flag, ""));
      } else if (FLAGS.contains(argument)) {
        line.options.put(argument, "");
      } else if (argument.startsWith("-") && argument.length() > 1) {
        throw new IllegalArgumentException("option " + argument);
      } else {
        line.words.add(argument);
      }
    }
    return line;
  }

  private void assign(String argument) {
    int equals = argument.indexOf('=');
    String name = argument.substring(0, equals);
    String value = argument.substring(equals + 1);
    if (name.equals("--filter")) {
      filters.add(value);
    } else {
      options.put(name, value);
    }
  }

  boolean has(String option) {
    return options.containsKey(option);
  }

  Optional<String> value(String option) {
    return Optional.ofNullable(options.get(option));
  }

  String plugin() {
    return words.getFirst();
  }

  /** The first one is the one next to the client. */
  List<String> filters() {
    return filters;
  }

  /** For the plugin and the filters. */
  Parameters parameters() {
    return new Parameters(words.subList(1, words.size()));
  }
}
