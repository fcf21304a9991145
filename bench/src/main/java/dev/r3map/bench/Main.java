package dev.r3map.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The command: runs tables and writes what came of them. */
public final class Main {
  private static final List<Table> TABLES =
      List.of(
          new FuseTable(),
          new PassthroughTable(),
          new RemoteTable(),
          new ReadyTable(),
          new MemoryTable(),
          new NbdTable());

  private static final String USAGE =
      """
      usage: bench/run [NAME...] [--quick] [--rounds N] [--out DIR]
             bench/run render [--out DIR]

      Measures r3map beside its peers, prints the medians, and keeps every value in
      DIR/<date>-<name>.csv (default: bench/results). 'render' writes docs/benchmarks.md from the
      newest of these files. --quick only shows that everything works.
      """;

  private Main() {}

  public static void main(String[] args) throws IOException {
    Path root = Path.of(System.getProperty("r3map.root", ".")).toAbsolutePath();
    Path out = root.resolve("bench").resolve("results");
    boolean quick = false;
    boolean render = false;
    int rounds = 0;
    List<Table> tables = new ArrayList<>();
    for (int i = 0; i < args.length; i++) {
      switch (args[i]) {
        case "--quick" -> quick = true;
        case "--rounds" -> rounds = Integer.parseInt(args[++i]);
        case "--out" -> out = Path.of(args[++i]);
        case "--help", "-h" -> {
          System.out.print(USAGE + "\n");
          TABLES.forEach(t -> System.out.printf("  %-8s %s%n", t.name(), t.title()));
          return;
        }
        case "render" -> render = true;
        default -> tables.add(table(args[i]));
      }
    }
    if (render) {
      Files.writeString(root.resolve("docs").resolve("benchmarks.md"), rendered(out));
      return;
    }
    try (Bench bench = Bench.open(root, quick, rounds)) {
      for (Table table : tables.isEmpty() ? TABLES : tables) {
        run(bench, table, out);
      }
    }
  }

  private static Table table(String name) {
    return TABLES.stream()
        .filter(table -> table.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("unknown: " + name + "\n" + USAGE));
  }

  private static void run(Bench bench, Table table, Path out) throws IOException {
    Path file =
        out.resolve("%s-%s.csv".formatted(LocalDate.now(ZoneId.systemDefault()), table.name()));
    Results results = Results.create(file, notes(bench));
    long start = System.nanoTime();
    table.run(bench, results);
    Bench.say(
        "%s: %d s, %s",
        table.name(), Duration.ofNanos(System.nanoTime() - start).toSeconds(), file);
    System.out.println(section(table, results));
  }

  private static String rendered(Path out) throws IOException {
    Markdown text = new Markdown();
    text.paragraph("# Benchmarks");
    text.paragraph(
        "Measured by `./bench/run`, which anybody can repeat; `./bench/run render` wrote this page"
            + " from the files in [bench/results](../bench/results), which hold every single value."
            + " All contenders serve the same bytes, checked by their sums, and take turns within"
            + " each round; a figure is the median of the rounds, and a ratio is one of medians of"
            + " the same run.");
    StringBuilder page = new StringBuilder(text.toString());
    for (Table table : TABLES) {
      Optional<Path> newest = newest(out, table);
      if (newest.isPresent()) {
        page.append(section(table, Results.read(newest.get())));
      }
    }
    return page.toString().stripTrailing() + "\n";
  }

  private static Optional<Path> newest(Path out, Table table) throws IOException {
    try (Stream<Path> files = Files.list(out)) {
      return files
          .filter(file -> file.getFileName().toString().endsWith("-" + table.name() + ".csv"))
          .max(Comparator.comparing(file -> file.getFileName().toString()));
    }
  }

  private static String section(Table table, Results results) {
    return new Markdown()
        .paragraph("## %s", table.title())
        .paragraph("%s", table.markdown(results).stripTrailing())
        .paragraph(
            "_%s. Half of the figures vary by more than %s %% from quartile to quartile._",
            String.join("; ", results.notes()),
            results.medianSpread().isPresent()
                ? Markdown.number(100 * results.medianSpread().getAsDouble())
                : "?")
        .toString();
  }

  private static List<String> notes(Bench bench) throws IOException {
    String model;
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      model =
          lines
              .filter(line -> line.startsWith("model name"))
              .findFirst()
              .map(line -> line.substring(line.indexOf(':') + 2))
              .orElse("unknown processor");
    }
    return List.of(
        LocalDate.now(ZoneId.systemDefault()).toString(),
        "commit " + version(bench, "git", "rev-parse", "--short=10", "HEAD"),
        "%s, %d processors".formatted(model, Runtime.getRuntime().availableProcessors()),
        "Linux " + System.getProperty("os.version"),
        "JDK " + System.getProperty("java.version"),
        "fio " + version(bench, "fio", "--version"),
        version(bench, "nbdkit", "--version"),
        "libfuse " + version(bench, "pkg-config", "--modversion", "fuse3"));
  }

  private static String version(Bench bench, String... command) throws IOException {
    List<String> inRoot = new ArrayList<>(List.of("env", "-C", bench.root().toString()));
    inRoot.addAll(List.of(command));
    return Programs.run(Duration.ofSeconds(10), inRoot.toArray(String[]::new)).strip();
  }
}
