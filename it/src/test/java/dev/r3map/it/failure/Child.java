package dev.r3map.it.failure;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Another JVM that runs a class of these tests and is told line by line what to do. It ends when
 * its standard input does, so that none outlives this JVM. Owns the process until {@link #close},
 * which kills it.
 */
final class Child implements AutoCloseable {
  /** Longer than anything here may take, shorter than a test's own limit. */
  static final Duration PATIENCE = Duration.ofSeconds(60);

  private static final String END = "end of output";
  private static final int LINES_KEPT = 200;

  private final String name;
  private final Process process;
  private final PrintStream commands;
  private final LinkedBlockingQueue<String> answers = new LinkedBlockingQueue<>();
  private final Deque<String> errors = new ArrayDeque<>();

  private Child(String name, Process process) {
    this.name = name;
    this.process = process;
    commands = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
    follow("answers", process.inputReader(StandardCharsets.UTF_8), answers::add, END);
    follow("errors", process.errorReader(StandardCharsets.UTF_8), this::keep, "");
  }

  /**
   * @param flags of the JVM
   * @param first where it looks for classes and resources before it looks where we do
   */
  static Child start(List<String> flags, List<Path> first, Class<?> main, String... arguments)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Starts fast, and leaves the processors to others.
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"));
    command.addAll(
        List.of("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"));
    command.addAll(flags);
    command.addAll(List.of("-cp", classPath(first), main.getName()));
    command.addAll(List.of(arguments));
    return new Child(main.getSimpleName(), new ProcessBuilder(command).start());
  }

  /** Without the command's logging, which would write to standard output. */
  private static String classPath(List<Path> first) {
    return Stream.concat(
            first.stream().map(Path::toString),
            Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.matches(".*/(logback|slf4j)-[^/]*\\.jar")))
        .collect(Collectors.joining(File.pathSeparator));
  }

  private void follow(String what, BufferedReader reader, Consumer<String> sink, String last) {
    Thread.ofVirtual()
        .name(name + " " + what)
        .start(() -> {
          try (reader) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
              sink.accept(line);
            }
          } catch (IOException e) {
            // It was killed.
          }
          sink.accept(last);
        });
  }

  private void keep(String line) {
    synchronized (errors) {
      errors.addLast(line);
      if (errors.size() > LINES_KEPT) {
        errors.removeFirst();
      }
    }
  }

  /** What it wrote to standard error lately, for messages. */
  String errors() {
    synchronized (errors) {
      return String.join("\n", errors).strip();
    }
  }

  long pid() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /**
   * Has something done and waits for what comes of it; it begins with {@code ok} or {@code error}.
   */
  String tell(String command) throws InterruptedException {
    begin(command);
    return answer();
  }

  /** Has something done that must work. */
  String ok(String command) throws InterruptedException {
    return ok(command, tell(command));
  }

  /** Has something begun; {@link #answer} gives what came of it. */
  void begin(String command) {
    commands.println(command);
  }

  /** Waits for something begun that must work. */
  String okAnswer() throws InterruptedException {
    return ok("the command before", answer());
  }

  String answer() throws InterruptedException {
    return answer(PATIENCE);
  }

  /** The next line. */
  String answer(Duration within) throws InterruptedException {
    String line = answers.poll(within.toMillis(), TimeUnit.MILLISECONDS);
    if (line == null) {
      throw new AssertionError("%s is silent for %s".formatted(this, within));
    }
    if (line.equals(END)) {
      answers.add(END);
      throw new AssertionError(this + " has ended");
    }
    return line;
  }

  /** Whether it has answered meanwhile. */
  boolean hasAnswered() {
    return !answers.isEmpty();
  }

  private String ok(String command, String answer) {
    if (!answer.equals("ok") && !answer.startsWith("ok ")) {
      throw new AssertionError("%s: %s: %s".formatted(this, command, answer));
    }
    return answer.substring(2).strip();
  }

  /** Lets it go on for so long, or until it ends. */
  void goOn(Duration time) throws InterruptedException {
    process.waitFor(time.toNanos(), TimeUnit.NANOSECONDS);
  }

  /** Ends it with SIGKILL and waits until it is gone. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new AssertionError(this + " cannot be killed");
    }
  }

  /** Asks it with SIGTERM to end. */
  void terminate() {
    process.destroy();
  }

  /** Waits for it to end by itself. */
  int exitCode() throws InterruptedException {
    if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new AssertionError(this + " does not end");
    }
    return process.exitValue();
  }

  @Override
  public void close() {
    process.destroyForcibly();
    boolean interrupted = false;
    while (process.isAlive()) {
      try {
        if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
          throw new AssertionError(this + " cannot be killed");
        }
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    commands.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public String toString() {
    return name + " (process " + process.pid() + ")";
  }
}
