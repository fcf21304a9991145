package dev.r3map.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/** Writes tables and verdicts. */
final class Markdown {
  private final StringBuilder text = new StringBuilder();

  @SuppressWarnings("AnnotateFormatMethod") // It is for humans.
  Markdown paragraph(String format, Object... values) {
    text.append(String.format(Locale.ROOT, format, values)).append("\n\n");
    return this;
  }

  Markdown table(List<String> head, List<List<String>> rows) {
    row(head);
    text.append("|---".repeat(head.size())).append("|\n");
    rows.forEach(this::row);
    text.append('\n');
    return this;
  }

  private void row(List<String> cells) {
    text.append("| ").append(String.join(" | ", cells)).append(" |\n");
  }

  /** Medians, a row for each metric and a column for each contender. */
  Markdown medians(Results results, List<String> metrics, List<String> contenders) {
    List<String> head = new ArrayList<>(List.of("median"));
    head.addAll(contenders);
    List<List<String>> rows = new ArrayList<>();
    for (String metric : metrics) {
      List<String> cells = new ArrayList<>();
      cells.add("%s, %s".formatted(metric, results.unit(metric)));
      contenders.forEach(contender -> cells.add(number(results.median(contender, metric))));
      rows.add(cells);
    }
    return table(head, rows);
  }

  static String number(OptionalDouble value) {
    return value.isPresent() ? number(value.getAsDouble()) : "-";
  }

  /** Three digits that count. */
  static String number(double value) {
    double size = Math.abs(value);
    String format = size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.2f";
    return String.format(Locale.ROOT, format, value);
  }

  /** Verdicts on targets. */
  static final class Targets {
    private final List<List<String>> rows = new ArrayList<>();

    /** What should be at least so much. */
    Targets atLeast(String what, OptionalDouble measured, double target) {
      return add(what, "≥ " + number(target), measured, m -> m >= target);
    }

    /** What should be at most so much. */
    Targets atMost(String what, OptionalDouble measured, double target) {
      return add(what, "≤ " + number(target), measured, m -> m <= target);
    }

    private Targets add(
        String what,
        String target,
        OptionalDouble measured,
        java.util.function.DoublePredicate reached) {
      String verdict =
          measured.isEmpty()
              ? "not measured"
              : reached.test(measured.getAsDouble()) ? "reached" : "**missed**";
      rows.add(List.of(what, target, number(measured), verdict));
      return this;
    }
  }

  Markdown targets(Targets targets) {
    return table(List.of("target", "wanted", "measured", ""), targets.rows);
  }

  @Override
  public String toString() {
    return text.toString();
  }
}
