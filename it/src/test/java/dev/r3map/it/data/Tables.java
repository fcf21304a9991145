package dev.r3map.it.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Tables of settings, as JUnit's {@code CsvSource} takes them: one in a line, choices between bars.
 */
final class Tables {
  private Tables() {}

  /**
   * Fails unless every choice of each column meets every choice of every other one: most bugs need
   * two things to come together and few need three. The first line holds the headings.
   */
  static void verifyPairs(String table) {
    List<String[]> rows =
        table.lines().skip(1).map(line -> line.strip().split("\\s*\\|\\s*", -1)).toList();
    int columns = rows.getFirst().length;
    List<String> missing = new ArrayList<>();
    for (int a = 0; a < columns; a++) {
      for (int b = a + 1; b < columns; b++) {
        for (String one : choices(rows, a)) {
          for (String other : choices(rows, b)) {
            int first = a;
            int second = b;
            if (rows.stream()
                .noneMatch(row -> row[first].equals(one) && row[second].equals(other))) {
              missing.add(one + " with " + other);
            }
          }
        }
      }
    }
    if (!missing.isEmpty()) {
      throw new AssertionError("not in the table: " + missing);
    }
  }

  private static Set<String> choices(List<String[]> rows, int column) {
    Set<String> choices = new TreeSet<>();
    rows.forEach(row -> choices.add(row[column]));
    return choices;
  }
}
