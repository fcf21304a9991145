package dev.r3map.it.nbd.suite;

import dev.r3map.it.support.Tool;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * libnbd's tests, built, and run with our server in the place of others. What was built is kept in
 * the user's cache, and locked while it is used, because tests leave files in it. Owns the lock.
 */
public final class LibnbdSuite implements AutoCloseable {
  private static final Duration BUILD_PATIENCE = Duration.ofMinutes(10);
  private static final Duration PATIENCE = Duration.ofMinutes(5);
  private static final Duration ONE_TEST = Duration.ofMinutes(3);

  /** Enough to see why a test failed. */
  private static final int LINES = 25;

  private final Path tree;
  private final Launchers launchers;
  private final FileChannel lock;

  private LibnbdSuite(Path tree, Launchers launchers, FileChannel lock) {
    this.tree = tree;
    this.launchers = launchers;
    this.lock = lock;
  }

  /** How a test ended. */
  public enum Result {
    PASS,
    SKIP,
    FAIL
  }

  /**
   * @param log the end of what it said
   * @param ours whether it started our server
   */
  public record Outcome(Result result, boolean ours, String log) {}

  /**
   * Builds what is not built yet.
   *
   * @param folder for the programs that stand in for others
   */
  public static LibnbdSuite prepare(Path folder) throws IOException, InterruptedException {
    Path cache = Files.createDirectories(cache());
    FileChannel lock =
        FileChannel.open(
            cache.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      var _ = lock.lock();
      Launchers launchers = Launchers.install(folder);
      Path built = cache.resolve("build");
      launchers.run(BUILD_PATIENCE, launchers.script("build-libnbd"), built.toString()).succeeded();
      return new LibnbdSuite(built.resolve("libnbd"), launchers, lock);
    } catch (IOException | InterruptedException | RuntimeException | Error e) {
      lock.close();
      throw e;
    }
  }

  private static Path cache() {
    String home = System.getenv("XDG_CACHE_HOME");
    Path caches = home == null ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(home);
    return caches.resolve("r3map/libnbd-tests");
  }

  /**
   * Runs all tests of a directory; each has its own name, also where libnbd takes several as one.
   */
  public Map<String, Outcome> check(String directory) throws IOException, InterruptedException {
    Path folder = tree.resolve(directory);
    return directory.equals("python") ? python(folder) : make(folder);
  }

  private Map<String, Outcome> make(Path folder) throws IOException, InterruptedException {
    Tool.Outcome make =
        launchers.run(
            PATIENCE,
            "make",
            "-k",
            "-j" + (Runtime.getRuntime().availableProcessors() + 1),
            "-C",
            folder.toString(),
            "check",
            "LOG_COMPILER=" + launchers.script("run-test"));
    Set<String> ours = launchers.started();
    Map<String, Outcome> outcomes = new TreeMap<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(path -> path.toString().endsWith(".trs")).toList()) {
        String test = file.getFileName().toString().replaceFirst("\\.trs$", "");
        String name = folder.getFileName() + "/" + test;
        Result result = result(Files.readString(file));
        String log = end(Files.readString(folder.resolve(test + ".log")));
        outcomes.put(name, new Outcome(result, ours.contains(name), log));
      }
    }
    if (outcomes.isEmpty()) {
      throw new AssertionError("no test was run in %s:%n%s".formatted(folder, make.errors()));
    }
    return outcomes;
  }

  private static Result result(String trs) {
    if (trs.contains(":global-test-result: PASS")) {
      return Result.PASS;
    }
    return trs.contains(":global-test-result: SKIP") ? Result.SKIP : Result.FAIL;
  }

  private Map<String, Outcome> python(Path folder) throws IOException, InterruptedException {
    List<Path> tests;
    try (Stream<Path> files = Files.list(folder.resolve("t"))) {
      tests = files.filter(path -> path.toString().endsWith(".py")).sorted().toList();
    }
    Map<String, Outcome> outcomes = new TreeMap<>();
    for (Path test : tests) {
      String name = "python/" + test.getFileName();
      Tool.Outcome run =
          launchers.run(
              ONE_TEST,
              "env",
              "-C",
              folder.toString(),
              "srcdir=.",
              launchers.script("run-test"),
              "/usr/bin/python3",
              test.toString());
      Result result = run.exitCode() == 0 ? Result.PASS : Result.FAIL;
      if (result == Result.PASS && run.text().contains("skipping: ")) {
        result = Result.SKIP;
      }
      boolean ours = launchers.started().contains(name);
      outcomes.put(name, new Outcome(result, ours, end(run.errors())));
    }
    return outcomes;
  }

  private static String end(String log) {
    List<String> lines = log.lines().toList();
    return String.join("\n", lines.subList(Math.max(0, lines.size() - LINES), lines.size()));
  }

  @Override
  public void close() throws IOException {
    lock.close();
  }
}
