package dev.r3map.it.nbd.suite;

import dev.r3map.it.support.Tool;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Programs that stand in for others: they are found first, and start our server. */
final class Launchers {
  private static final List<String> SCRIPTS =
      List.of("nbdkit", "qemu-nbd", "start", "run-test", "build-libnbd");

  private final Path bin;

  private Launchers(Path bin) {
    this.bin = bin;
  }

  static Launchers install(Path folder) throws IOException, InterruptedException {
    Path bin = Files.createDirectories(folder.resolve("bin"));
    for (String script : SCRIPTS) {
      try (InputStream text =
          Objects.requireNonNull(Launchers.class.getResourceAsStream(script + ".sh"))) {
        Files.write(bin.resolve(script), text.readAllBytes());
      }
      Files.setPosixFilePermissions(
          bin.resolve(script), PosixFilePermissions.fromString("rwxr-xr-x"));
    }
    Files.writeString(bin.resolve("java.sh"), "java=(%s)%n".formatted(java(folder)));
    return new Launchers(bin);
  }

  /** The path of one of them. */
  String script(String name) {
    return bin.resolve(name).toString();
  }

  /** Runs a program that finds these before all others. */
  Tool.Outcome run(Duration patience, String... command) throws IOException, InterruptedException {
    // Java knows names of files that are not ASCII only where the locale does.
    List<String> all = new ArrayList<>(List.of("env", "PATH=" + path(), "LC_ALL=C.UTF-8"));
    // It ends what it started, too, when the time is over.
    all.addAll(List.of("timeout", "-k", "5", patience.toSeconds() + ""));
    all.addAll(List.of(command));
    return Tool.run(patience.plusSeconds(20), all);
  }

  private String path() {
    return bin + File.pathSeparator + System.getenv("PATH");
  }

  /** The tests that have started our server. */
  Set<String> started() throws IOException {
    Path log = bin.resolve("started");
    return Files.exists(log) ? new HashSet<>(Files.readAllLines(log)) : Set.of();
  }

  /** How our server is started: quickly, because that happens some 300 times. */
  private static String java(Path folder) throws IOException, InterruptedException {
    String home = System.getProperty("java.home");
    // The JVM remembers only classes that it finds in archives.
    Path suite = folder.resolve("suite.jar");
    String classes = classPath(".*/test-classes");
    Tool.text(home + "/bin/jar", "cf", suite.toString(), "-C", classes, "dev/r3map/it/nbd/suite");
    String path =
        Stream.of("core", "linux", "nbd", "testkit")
            .map(module -> classPath(".*/r3map-%s-[^/]*\\.jar".formatted(module)))
            .collect(Collectors.joining(":", suite + ":", ""));
    Path remembered = folder.resolve("suite.aot");
    List<String> java =
        List.of(
            home + "/bin/java",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xmx512m",
            "-Xlog:disable",
            "-Xlog:all=error:stderr",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            path);
    List<String> training = new ArrayList<>(java);
    training.add("-XX:AOTCacheOutput=" + remembered);
    training.addAll(List.of(Nbdkit.class.getName(), "-U", "-", "memory", "1M"));
    training.addAll(List.of("--run", "nbdinfo \"$uri\""));
    Tool.run(Duration.ofMinutes(2), training).succeeded();
    return "%s -XX:AOTCache=%s".formatted(String.join(" ", java), remembered);
  }

  /** The entry of our class path that looks like this. */
  private static String classPath(String pattern) {
    return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator, -1))
        .filter(entry -> entry.matches(pattern))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no " + pattern + ": run this by mvnw verify"));
  }
}
