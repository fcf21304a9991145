package dev.r3map.cli.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** Other programs that read a file, as a user's would. */
public final class Programs {
  private Programs() {}

  /**
   * What a program printed, and how long it took.
   *
   * @param output of both streams
   */
  public record Run(String output, Duration time) {}

  /** Reads 4 KiB with dd(1). */
  public static Run readBlock(Path file, long block) throws IOException, InterruptedException {
    return run("dd", "if=" + file, "of=/dev/null", "bs=4096", "count=1", "skip=" + block);
  }

  /** The SHA-256 of the file as sha256sum(1) sees it. */
  public static Run checksum(Path file) throws IOException, InterruptedException {
    Run run = run("sha256sum", "--", file.toString());
    return new Run(run.output().split(" ", 2)[0], run.time());
  }

  private static Run run(String... command) throws IOException, InterruptedException {
    long begun = System.nanoTime();
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try {
      // Little is printed, so it need not be read while the program runs.
      int code = process.waitFor();
      Duration time = Duration.ofNanos(System.nanoTime() - begun);
      String output = new String(process.getInputStream().readAllBytes(), UTF_8);
      if (code != 0) {
        throw new IOException("%s failed: %s".formatted(command[0], output.strip()));
      }
      return new Run(output, time);
    } finally {
      process.destroyForcibly();
    }
  }
}
