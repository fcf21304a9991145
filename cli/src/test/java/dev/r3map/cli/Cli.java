package dev.r3map.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/** The command in a process of its own, which {@link #close} ends if it has not ended. */
final class Cli implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Process process;
  private final Lines out;
  private final Lines err;

  private Cli(ProcessBuilder builder) throws IOException {
    process = builder.start();
    process.getOutputStream().close();
    out = new Lines(process.getInputStream());
    err = new Lines(process.getErrorStream());
  }

  /** How a command ended and what it said. */
  record Result(int code, String out, String err) {}

  /** What starts the command, as the launcher does but without its AOT cache. */
  static List<String> command(String... arguments) {
    List<String> command = new ArrayList<>();
    // Who runs the tests in the background may have switched these signals off.
    command.addAll(List.of("env", "--default-signal=INT,TERM,HUP"));
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            "dev.r3map.cli.Main"));
    command.addAll(List.of(arguments));
    return command;
  }

  static Cli start(String... arguments) throws IOException {
    return start(Map.of(), arguments);
  }

  static Cli start(Map<String, String> environment, String... arguments) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command(arguments));
    builder.environment().putAll(environment);
    return new Cli(builder);
  }

  static Result run(String... arguments) throws IOException, InterruptedException {
    return run(Map.of(), arguments);
  }

  static Result run(Map<String, String> environment, String... arguments)
      throws IOException, InterruptedException {
    try (Cli cli = start(environment, arguments)) {
      return cli.end();
    }
  }

  /** Runs any other program. */
  static Result runProgram(List<String> command) throws IOException, InterruptedException {
    try (Cli cli = new Cli(new ProcessBuilder(command))) {
      return cli.end();
    }
  }

  long pid() {
    return process.pid();
  }

  boolean isRunning() {
    return process.isAlive();
  }

  /** Waits for an event on standard output. */
  Map<String, Object> awaitEvent(String name) throws InterruptedException {
    String line = out.await(text -> name.equals(eventName(text)), "the event " + name, this);
    return Json.parse(line);
  }

  private static String eventName(String line) {
    return line.startsWith("{") ? String.valueOf(Json.parse(line).get("event")) : "";
  }

  /** Waits for a line of standard error that has something in it. */
  String awaitError(String regex) throws InterruptedException {
    Pattern pattern = Pattern.compile(regex);
    return err.await(text -> pattern.matcher(text).find(), regex, this);
  }

  void signal(String name) throws IOException, InterruptedException {
    int code =
        new ProcessBuilder("kill", "-" + name, Long.toString(pid())).inheritIO().start().waitFor();
    if (code != 0) {
      throw new IOException("kill failed: " + code);
    }
  }

  /** Waits until the command has ended. */
  Result end() throws InterruptedException {
    if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
      throw new AssertionError("does not end: " + this);
    }
    return new Result(process.exitValue(), out.all(), err.all());
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public String toString() {
    return "%s%nstdout: %s%nstderr: %s".formatted(process.info(), out.soFar(), err.soFar());
  }

  /** The lines of a stream as they come; read by a thread that ends with the stream. */
  private static final class Lines {
    private final List<String> lines = new ArrayList<>();
    private final Thread reader;
    private boolean ended;

    Lines(InputStream stream) {
      reader = Thread.ofPlatform().daemon().start(() -> read(stream));
    }

    private void read(InputStream stream) {
      try (BufferedReader text = new BufferedReader(new InputStreamReader(stream, UTF_8))) {
        for (String line = text.readLine(); line != null; line = text.readLine()) {
          synchronized (this) {
            lines.add(line);
            notifyAll();
          }
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } finally {
        synchronized (this) {
          ended = true;
          notifyAll();
        }
      }
    }

    synchronized String await(Predicate<String> wanted, String what, Cli cli)
        throws InterruptedException {
      long deadline = System.nanoTime() + PATIENCE.toNanos();
      for (int next = 0; ; ) {
        while (next < lines.size()) {
          String line = lines.get(next++);
          if (wanted.test(line)) {
            return line;
          }
        }
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (ended || left <= 0) {
          throw new AssertionError(what + " does not come: " + cli);
        }
        wait(left);
      }
    }

    String all() throws InterruptedException {
      reader.join();
      return soFar();
    }

    synchronized String soFar() {
      return String.join("\n", lines);
    }
  }
}
