package dev.r3map.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

/** Another program that serves a file. Owns its process and its mount until {@link #close}. */
final class Peer implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofSeconds(20);
  private static final String READAHEAD_KIB = "1024";

  private final Path file;
  private final Process process;

  private Peer(Path file, Process process) {
    this.file = file;
    this.process = process;
  }

  /** libfuse's low-level API, in C. */
  static Peer memfs(Bench bench, long size) throws IOException {
    Path file = Files.createFile(bench.newFile("memfs"));
    Peer peer =
        start(
            file, size, bench.programs().memfs().toString(), Long.toString(size), file.toString());
    // r3map does this too, and says so.
    Files.writeString(Path.of("/sys/class/bdi", device(file), "read_ahead_kb"), READAHEAD_KIB);
    return peer;
  }

  /** nbdfuse over nbdkit's memory plugin, as Debian has them. */
  static Peer nbdfuse(Bench bench, long size) throws IOException {
    Path file = Files.createFile(bench.newFile("nbdfuse"));
    return start(
        file,
        size,
        "nbdfuse",
        file.toString(),
        "[",
        "nbdkit",
        "--exit-with-parent",
        "memory",
        Long.toString(size),
        "]");
  }

  private static Peer start(Path file, long size, String... command) throws IOException {
    Process process =
        new ProcessBuilder(List.of(command))
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    Peer peer = new Peer(file, process);
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (Files.size(file) != size) {
      if (!process.isAlive() || System.nanoTime() - deadline > 0) {
        process.destroyForcibly();
        throw new IOException("does not serve: " + String.join(" ", command));
      }
      Thread.onSpinWait();
    }
    return peer;
  }

  Path file() {
    return file;
  }

  private static String device(Path file) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/mountinfo"))) {
      return lines
          .map(line -> line.split(" ", -1))
          .filter(words -> words[4].equals(file.toString()))
          .map(words -> words[2])
          .findFirst()
          .orElseThrow(() -> new IOException("not mounted: " + file));
    }
  }

  @Override
  public void close() throws IOException {
    Programs.run(LIMIT, "umount", file.toString());
    if (!Programs.ended(process, LIMIT)) {
      process.destroyForcibly();
      throw new IOException("does not end after umount: " + file);
    }
  }
}
