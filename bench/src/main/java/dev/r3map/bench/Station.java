package dev.r3map.bench;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A JVM of its own that serves or mounts, told line by line what to do ({@link StationMain}). Owns
 * the process until {@link #close}, which ends its mounts.
 */
final class Station implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final String END = "";

  private final String name;
  private final Process process;
  private final PrintStream commands;
  private final LinkedBlockingQueue<String> answers = new LinkedBlockingQueue<>();

  private Station(String name, Process process) {
    this.name = name;
    this.process = process;
    commands = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
    Thread.ofPlatform().daemon().name("answers of " + name).start(this::listen);
  }

  /**
   * Starts one, with the flags that the launcher gives a user's.
   *
   * @param flags more of them
   */
  static Station start(String name, String... flags) throws IOException {
    return new Station(
        name,
        new ProcessBuilder(command(name, flags))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start());
  }

  private static List<String> command(String name, String... flags) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-XX:+UseSerialGC",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow"));
    command.addAll(List.of(flags));
    // Another build can be put before this one, to compare the two.
    String changes = System.getProperty("r3map.bench.changes." + name, "");
    command.addAll(
        List.of(
            "-cp",
            changes + File.pathSeparator + System.getProperty("java.class.path"),
            StationMain.class.getName()));
    return command;
  }

  /** Has something done that must work. */
  @SuppressWarnings("AnnotateFormatMethod") // Every command is run by every benchmark.
  Reply tell(String command, Object... values) throws IOException {
    return tell(LIMIT, command, values);
  }

  /** The same, with another limit of time. */
  @SuppressWarnings("AnnotateFormatMethod")
  Reply tell(Duration limit, String command, Object... values) throws IOException {
    commands.println(command.formatted(values));
    String answer;
    try {
      answer = answers.poll(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    if (answer == null || !answer.startsWith("ok")) {
      throw new IOException(
          "%s: %s: %s"
              .formatted(
                  name,
                  command.formatted(values),
                  answer == null ? "no answer within " + limit : answer));
    }
    return Reply.parse(answer);
  }

  long pid() {
    return process.pid();
  }

  private void listen() {
    try (BufferedReader in = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        answers.add(line);
      }
    } catch (IOException e) {
      // The process ended, which is what is said next.
    }
    answers.add(END);
  }

  @Override
  public void close() throws IOException {
    commands.close();
    if (!Programs.ended(process, Duration.ofSeconds(30))) {
      process.destroyForcibly();
      throw new IOException(name + " does not end");
    }
  }
}
