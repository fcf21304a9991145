package dev.r3map.it.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.it.nbd.suite.LibnbdSuite;
import dev.r3map.it.nbd.suite.LibnbdSuite.Outcome;
import dev.r3map.it.nbd.suite.LibnbdSuite.Result;
import dev.r3map.it.support.Tool;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The tests of libnbd, which others wrote for other servers. */
@Timeout(value = 15, unit = TimeUnit.MINUTES)
class LibnbdSuiteIT {
  private static final List<String> DIRECTORIES =
      List.of("tests", "interop", "info", "copy", "dump", "sh", "python");

  /** Of all tests, those that are not expected to pass. */
  private static final double MOST_EXCLUDED = 0.15;

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(15));

  @TempDir static Path folder;

  private static LibnbdSuite suite;

  @BeforeAll
  static void build() throws Exception {
    Tool.require("make", "make");
    Tool.require("gcc", "gcc");
    Tool.require("pkg-config", "pkg-config");
    Tool.require("certtool", "gnutls-bin");
    Tool.require("jq", "jq");
    Tool.require("hexdump", "bsdextrautils");
    Tool.require("nbdinfo", "libnbd-bin");
    Tool.require("qemu-img", "qemu-utils");
    suite = LibnbdSuite.prepare(folder);
  }

  @AfterAll
  static void release() throws IOException {
    if (suite != null) {
      suite.close();
    }
  }

  @Test
  void allTestsPassButThoseThatAreListed() throws Exception {
    Map<String, String> excluded = excluded();
    Map<String, Outcome> all = new TreeMap<>();
    for (String directory : DIRECTORIES) {
      Map<String, Outcome> outcomes = suite.check(directory);
      all.putAll(outcomes);
      print(directory, outcomes, excluded);
    }
    List<String> wrong = new ArrayList<>();
    all.forEach((test, outcome) -> {
      if (excluded.containsKey(test)) {
        if (outcome.result() == Result.PASS) {
          wrong.add(test + " passes: it need not be in the list any more");
        }
      } else if (outcome.result() != Result.PASS) {
        wrong.add("%s: %s%n%s".formatted(test, outcome.result(), outcome.log()));
      }
    });
    excluded.keySet().stream()
        .filter(test -> !all.containsKey(test))
        .forEach(test -> wrong.add(test + " is listed, and there is no such test"));
    assertThat(wrong).isEmpty();
    assertThat(excluded.size()).isLessThanOrEqualTo((int) (MOST_EXCLUDED * all.size()));
  }

  /** Tests that are not expected to pass, and why. */
  private static Map<String, String> excluded() throws IOException {
    try (InputStream list =
        Objects.requireNonNull(LibnbdSuite.class.getResourceAsStream("excluded.tsv"))) {
      Map<String, String> reasons = new LinkedHashMap<>();
      new String(list.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .filter(line -> !line.startsWith("#"))
          .forEach(line -> {
            int tab = line.indexOf('\t');
            assertThat(line.substring(tab + 1)).as("the reason for %s", line).isNotBlank();
            reasons.put(line.substring(0, tab), line.substring(tab + 1));
          });
      return reasons;
    }
  }

  private static void print(
      String directory, Map<String, Outcome> outcomes, Map<String, String> excluded) {
    long ours =
        outcomes.values().stream()
            .filter(outcome -> outcome.result() == Result.PASS && outcome.ours())
            .count();
    long others =
        outcomes.values().stream()
            .filter(outcome -> outcome.result() == Result.PASS && !outcome.ours())
            .count();
    long listed = outcomes.keySet().stream().filter(excluded::containsKey).count();
    System.out.printf(
        "libnbd/%s: %d passed with our server, %d without a server of ours, %d excluded, of %d%n",
        directory, ours, others, listed, outcomes.size());
  }
}
