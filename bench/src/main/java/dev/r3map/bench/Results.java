package dev.r3map.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What was measured, one row for each round, contender and metric, kept in a file as it comes.
 * Round 0 warms up: it is kept too and counts for nothing.
 */
final class Results {
  /** A comma outside of quotes: no cell has one without a space after it. */
  private static final Pattern SEPARATOR = Pattern.compile(",(?! )");

  private static final String HEADER = "round,contender,metric,unit,value";

  /** One value. */
  record Row(int round, String contender, String metric, String unit, double value) {}

  private final Path file;
  private final List<Row> rows = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();

  private Results(Path file) {
    this.file = file;
  }

  /** New ones; the notes say where and how they came about. */
  static Results create(Path file, List<String> notes) throws IOException {
    Results results = new Results(file);
    results.notes.addAll(notes);
    Files.createDirectories(file.toAbsolutePath().getParent());
    StringBuilder head = new StringBuilder();
    notes.forEach(note -> head.append("# ").append(note).append('\n'));
    Files.writeString(file, head.append(HEADER).append('\n'));
    return results;
  }

  /** Those of another time. */
  static Results read(Path file) throws IOException {
    Results results = new Results(file);
    for (String line : Files.readAllLines(file)) {
      if (line.startsWith("# ")) {
        results.notes.add(line.substring(2));
      } else if (!line.equals(HEADER)) {
        String[] cells = SEPARATOR.split(line, -1);
        results.rows.add(
            new Row(
                Integer.parseInt(cells[0]),
                unquoted(cells[1]),
                unquoted(cells[2]),
                unquoted(cells[3]),
                Double.parseDouble(cells[4])));
      }
    }
    return results;
  }

  private static String quoted(String cell) {
    return cell.contains(",") ? '"' + cell + '"' : cell;
  }

  private static String unquoted(String cell) {
    return cell.startsWith("\"") ? cell.substring(1, cell.length() - 1) : cell;
  }

  List<String> notes() {
    return notes;
  }

  void add(int round, String contender, String metric, String unit, double value) {
    rows.add(new Row(round, contender, metric, unit, value));
    String line =
        String.format(
            Locale.ROOT,
            "%d,%s,%s,%s,%.3f%n",
            round,
            quoted(contender),
            quoted(metric),
            quoted(unit),
            value);
    try {
      Files.writeString(file, line, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  Set<String> contenders() {
    Set<String> all = new LinkedHashSet<>();
    rows.forEach(row -> all.add(row.contender()));
    return all;
  }

  Set<String> metrics() {
    Set<String> all = new LinkedHashSet<>();
    rows.forEach(row -> all.add(row.metric()));
    return all;
  }

  String unit(String metric) {
    return rows.stream()
        .filter(row -> row.metric().equals(metric))
        .findFirst()
        .map(Row::unit)
        .orElse("");
  }

  /** Ascending; empty if it was not measured. */
  double[] values(String contender, String metric) {
    return rows.stream()
        .filter(r -> r.round() > 0 && r.contender().equals(contender) && r.metric().equals(metric))
        .mapToDouble(Row::value)
        .sorted()
        .toArray();
  }

  OptionalDouble median(String contender, String metric) {
    return percentile(contender, metric, 0.5);
  }

  OptionalDouble percentile(String contender, String metric, double p) {
    double[] values = values(contender, metric);
    if (values.length == 0) {
      return OptionalDouble.empty();
    }
    if (p == 0.5 && values.length % 2 == 0) {
      return OptionalDouble.of((values[values.length / 2 - 1] + values[values.length / 2]) / 2);
    }
    return OptionalDouble.of(values[Math.min(values.length - 1, (int) (p * values.length))]);
  }

  /** One median by another. */
  OptionalDouble ratio(String contender, String base, String metric) {
    OptionalDouble a = median(contender, metric);
    OptionalDouble b = median(base, metric);
    return a.isPresent() && b.isPresent()
        ? OptionalDouble.of(a.getAsDouble() / b.getAsDouble())
        : OptionalDouble.empty();
  }

  /** The distance between the quartiles, relative to the median: how noisy it was. */
  OptionalDouble spread(String contender, String metric) {
    double[] values = values(contender, metric);
    OptionalDouble median = median(contender, metric);
    if (values.length < 3 || median.isEmpty() || median.getAsDouble() == 0) {
      return OptionalDouble.empty();
    }
    double[] quartiles = {values[values.length / 4], values[values.length * 3 / 4]};
    return OptionalDouble.of((quartiles[1] - quartiles[0]) / median.getAsDouble());
  }

  /** How noisy all of it was. */
  OptionalDouble medianSpread() {
    double[] all =
        contenders().stream()
            .flatMap(c -> metrics().stream().map(m -> spread(c, m)))
            .flatMapToDouble(OptionalDouble::stream)
            .sorted()
            .toArray();
    return all.length == 0
        ? OptionalDouble.empty()
        : Arrays.stream(all).skip(all.length / 2).findFirst();
  }
}
