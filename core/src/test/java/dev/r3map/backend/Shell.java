package dev.r3map.backend;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Runs commands that need root. */
public final class Shell {
  private Shell() {}

  public static boolean isRoot() {
    return System.getProperty("user.name").equals("root");
  }

  /** What the command says; fails if it does. */
  public static String run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException(String.join(" ", command) + ": " + output);
    }
    return output.strip();
  }
}
