package dev.r3map.it.failure;

import dev.r3map.linux.Fuse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** What these tests need of the machine they run on, and what they do to it. */
final class Host {
  private Host() {}

  /**
   * @throws AssertionError saying what to do, if nothing can be mounted here
   */
  static void requireFuse() {
    Fuse.unavailable()
        .ifPresent(why -> {
          throw new AssertionError("these tests mount, and that cannot be done here: " + why);
        });
  }

  /**
   * @throws AssertionError saying what to do, if this is not root
   */
  static void requireRoot() {
    if (!System.getProperty("user.name").equals("root")) {
      throw new AssertionError("this test mounts small file systems: run it as root");
    }
  }

  /** Closes now what a try statement closes once more later: every close here may be repeated. */
  static void closeNow(AutoCloseable what) throws Exception {
    what.close();
  }

  /** Runs a command that must succeed, and gives its output. */
  static String run(String... command) throws IOException, InterruptedException {
    Process process = start(command);
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!process.waitFor(30, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError(String.join(" ", command) + " hangs");
    }
    if (process.exitValue() != 0) {
      throw new AssertionError(
          "%s: exit code %d: %s"
              .formatted(String.join(" ", command), process.exitValue(), output.strip()));
    }
    return output;
  }

  private static Process start(String... command) throws IOException {
    try {
      return new ProcessBuilder(command).redirectErrorStream(true).start();
    } catch (IOException e) {
      throw new IOException("this test needs %s: install it".formatted(command[0]), e);
    }
  }

  /** What is mounted at or below a folder, the last one first. */
  static List<Path> mountsBelow(Path folder) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/mountinfo"))) {
      return lines
          .map(line -> Path.of(line.split(" ", -1)[4]))
          .filter(path -> path.startsWith(folder))
          .toList()
          .reversed();
    }
  }

  /** Takes away what is mounted at or below a folder, whoever serves it. */
  static void unmountBelow(Path folder) throws IOException, InterruptedException {
    for (Path mount : mountsBelow(folder)) {
      run("umount", "-f", "-l", mount.toString());
    }
  }
}
