package dev.r3map.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The programs that make the load, built here, and how they are run. */
final class Programs {
  /** fio's terse output, version 3: the ninth of its fields is the read IOPS. */
  private static final int TERSE_READ_IOPS = 7;

  private static final int TERSE_READ_KIB = 6;

  /** So many fields after those of reads are the same of writes. */
  private static final int TERSE_WRITES = 41;

  private static final Duration LIMIT = Duration.ofMinutes(3);

  private final Path load;
  private final Path memfs;

  private Programs(Path load, Path memfs) {
    this.load = load;
    this.memfs = memfs;
  }

  /** Compiles what is in {@code sources}. */
  static Programs build(Path sources, Path into) throws IOException {
    Path load = into.resolve("load");
    Path memfs = into.resolve("memfs");
    run(LIMIT, "gcc", "-O2", "-o", load.toString(), sources.resolve("load.c").toString());
    List<String> compile =
        new ArrayList<>(
            List.of("gcc", "-O2", "-o", memfs.toString(), sources.resolve("memfs.c").toString()));
    compile.addAll(words(run(LIMIT, "pkg-config", "--cflags", "--libs", "fuse3")));
    run(LIMIT, compile.toArray(String[]::new));
    return new Programs(load, memfs);
  }

  Path load() {
    return load;
  }

  Path memfs() {
    return memfs;
  }

  /** Runs {@code load} with these words. */
  Reply load(String command) throws IOException {
    List<String> all = new ArrayList<>(List.of(load.toString()));
    all.addAll(words(command));
    return Reply.parse(run(LIMIT, all.toArray(String[]::new)));
  }

  /** What fio measured. */
  record Fio(double iops, double megabytes) {}

  /** Runs fio over a file that is there. */
  static Fio fio(Path file, double seconds, String options) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                "fio",
                "--minimal",
                "--name=load",
                "--filename=" + file,
                "--readonly",
                "--time_based",
                "--runtime=" + Math.max(1, Math.round(seconds * 1000)) + "ms"));
    command.addAll(words(options));
    String[] fields = run(LIMIT, command.toArray(String[]::new)).split(";", -1);
    return new Fio(
        Double.parseDouble(fields[TERSE_READ_IOPS]),
        Double.parseDouble(fields[TERSE_READ_KIB]) * 1024 / 1e6);
  }

  /**
   * What fio measured over NBD.
   *
   * @param p99 of the latency, in µs
   */
  record NbdFio(double iops, double megabytes, double p99) {}

  /** Runs fio over an export, by its engine {@code nbd}. */
  static NbdFio nbdFio(String uri, double seconds, String options) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                "fio",
                "--minimal",
                "--name=load",
                "--ioengine=nbd",
                "--uri=" + uri,
                "--time_based",
                "--ramp_time=300ms",
                "--runtime=" + Math.max(1, Math.round(seconds * 1000)) + "ms"));
    command.addAll(words(options));
    // Its engine says a line of its own before.
    String line =
        run(LIMIT, command.toArray(String[]::new))
            .lines()
            .filter(one -> one.startsWith("3;"))
            .findFirst()
            .orElseThrow(() -> new IOException("fio said nothing of " + uri));
    String[] fields = line.split(";", -1);
    int from = fields[TERSE_READ_IOPS].equals("0") ? TERSE_WRITES : 0;
    double p99 = 0;
    for (int i = from; i < from + TERSE_WRITES; i++) {
      if (fields[i].startsWith("99.000000%=")) {
        p99 = Double.parseDouble(fields[i].substring(fields[i].indexOf('=') + 1));
      }
    }
    return new NbdFio(
        Double.parseDouble(fields[from + TERSE_READ_IOPS]),
        Double.parseDouble(fields[from + TERSE_READ_KIB]) * 1024 / 1e6,
        p99);
  }

  /**
   * Runs a program to its end.
   *
   * @return what it said on its standard output
   */
  static String run(Duration limit, String... command) throws IOException {
    Path output = Files.createTempFile("r3map-bench", ".out");
    Path errors = Files.createTempFile("r3map-bench", ".err");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectOutput(output.toFile())
              .redirectError(errors.toFile())
              .start();
      process.getOutputStream().close();
      if (!ended(process, limit)) {
        process.destroyForcibly();
        throw new IOException("does not end: " + String.join(" ", command));
      }
      if (process.exitValue() != 0) {
        throw new IOException(
            "%s: exit %d: %s"
                .formatted(
                    String.join(" ", command),
                    process.exitValue(),
                    Files.readString(errors).strip()));
      }
      return Files.readString(output, StandardCharsets.UTF_8);
    } finally {
      Files.delete(output);
      Files.delete(errors);
    }
  }

  /** Waits for an end. */
  static boolean ended(Process process, Duration limit) throws IOException {
    try {
      return process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private static List<String> words(String text) {
    return List.of(text.strip().split("\\s+"));
  }
}
