package dev.r3map.it.resources;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Runs programs. */
final class Programs {
  private Programs() {}

  /** What the program printed; a failure if it failed, with what it complained of. */
  static String run(String... command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    int code = process.waitFor();
    if (code != 0) {
      throw new IOException(Arrays.toString(command) + " ended with " + code + ": " + output);
    }
    return output;
  }
}
