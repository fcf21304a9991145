package dev.r3map.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Another process that looks when a mount shows. Owns it until {@link #close}. */
final class Watcher implements AutoCloseable {
  private final Process process;
  private final PrintStream questions;
  private final BufferedReader answers;

  Watcher(Programs programs) throws IOException {
    process =
        new ProcessBuilder(programs.load().toString(), "ready")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    questions = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
    answers = process.inputReader(StandardCharsets.UTF_8);
  }

  /** Begins to look for a file of this size. */
  void watch(Path file, long size) {
    questions.println(size + " " + file);
  }

  /** When it was there: {@code stat} and {@code read}, in System.nanoTime's terms. */
  Reply seen() throws IOException {
    String line = answers.readLine();
    if (line == null || !line.startsWith("ok=1")) {
      throw new IOException("the mount did not show: " + line);
    }
    return Reply.parse(line);
  }

  @Override
  public void close() throws IOException {
    questions.close();
    answers.close();
    process.destroy();
  }
}
