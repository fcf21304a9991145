package dev.r3map.it.failure;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** What a {@link Child} does with its standard input: one command and one answer a line. */
final class Commands {
  private Commands() {}

  /** Does what a command says and gives what is to be answered. */
  interface Action {
    String run(String[] words) throws Exception;
  }

  /** Does what it is told until the input ends or a command says {@code close}. */
  static void serve(Action action) throws IOException {
    try (BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        say(answer(action, line));
        if (line.equals("close")) {
          return;
        }
      }
    }
  }

  private static String answer(Action action, String line) {
    try {
      return "ok " + action.run(line.split(" ", -1));
    } catch (Throwable e) {
      StringBuilder text = new StringBuilder("error");
      for (Throwable t = e; t != null; t = t.getCause()) {
        text.append(' ').append(t.toString().replaceAll("\\s+", " "));
      }
      return text.toString();
    }
  }

  /** Answers, or tells something unasked. */
  static void say(String line) {
    synchronized (System.out) {
      System.out.println(line);
      System.out.flush();
    }
  }
}
