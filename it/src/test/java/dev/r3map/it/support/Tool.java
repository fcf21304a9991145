package dev.r3map.it.support;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs programs of the system to their end, or to a deadline. */
public final class Tool {
  private static final Duration DEADLINE = Duration.ofSeconds(60);

  private Tool() {}

  /** What a program said. */
  public record Outcome(List<String> command, int exitCode, String text, String errors) {

    /** This, if it exited with 0. */
    public Outcome succeeded() {
      if (exitCode != 0) {
        throw new AssertionError(
            "%s failed (exit code %d):%n%s%n%s"
                .formatted(String.join(" ", command), exitCode, text, errors));
      }
      return this;
    }

    /** This, if it exited with something else and its errors contain {@code message}. */
    public Outcome failedWith(String message) {
      if (exitCode == 0 || !errors.contains(message)) {
        throw new AssertionError(
            "%s did not fail with '%s' (exit code %d):%n%s%n%s"
                .formatted(String.join(" ", command), message, exitCode, text, errors));
      }
      return this;
    }
  }

  /** Fails if a program is not here, naming the Debian package that has it. */
  public static void require(String program, String debianPackage) {
    for (String folder : System.getenv("PATH").split(File.pathSeparator, -1)) {
      if (Files.isExecutable(Path.of(folder, program))) {
        return;
      }
    }
    throw new AssertionError(
        "this test needs %s: apt-get install %s (or run ./check, which does)"
            .formatted(program, debianPackage));
  }

  /** Runs a program for a minute at most. */
  public static Outcome run(String... command) throws IOException, InterruptedException {
    return run(DEADLINE, List.of(command));
  }

  /** Runs a program that must succeed, and gives what it printed. */
  public static String text(String... command) throws IOException, InterruptedException {
    return run(command).succeeded().text;
  }

  /** Runs a program; kills it at the deadline and fails. */
  public static Outcome run(Duration deadline, List<String> command)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("LC_ALL", "C");
    builder.redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")));
    Process process = builder.start();
    FutureTask<String> out = drain(process.getInputStream());
    FutureTask<String> errors = drain(process.getErrorStream());
    if (!process.waitFor(deadline.toMillis(), TimeUnit.MILLISECONDS)) {
      process.destroyForcibly();
      throw new AssertionError(
          "%s did not end within %s".formatted(String.join(" ", command), deadline));
    }
    try {
      long seconds = deadline.toSeconds();
      return new Outcome(
          command,
          process.exitValue(),
          out.get(seconds, TimeUnit.SECONDS),
          errors.get(seconds, TimeUnit.SECONDS));
    } catch (TimeoutException e) {
      throw new AssertionError("a child of %s goes on".formatted(command.getFirst()), e);
    } catch (ExecutionException e) {
      throw new IOException("cannot read what %s printed".formatted(command.getFirst()), e);
    }
  }

  private static FutureTask<String> drain(InputStream stream) {
    FutureTask<String> task =
        new FutureTask<>(() -> {
          try (stream) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8).strip();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
    Thread.ofVirtual().start(task);
    return task;
  }
}
