package dev.r3map.cli.mount;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What the system says of a mount, and unmounting it from outside. Never looks at the file itself,
 * which may not answer.
 */
final class Unmounts {
  private static final Path MOUNTS = Path.of("/proc/self/mountinfo");
  private static final int PATIENCE_SECONDS = 3;

  private Unmounts() {}

  /**
   * Whether a FUSE file is mounted.
   *
   * @param path absolute and without symbolic links
   */
  static boolean isMounted(Path path) throws IOException {
    String wanted = " " + asTheKernelWrites(path) + " ";
    for (String line : Files.readAllLines(MOUNTS, ISO_8859_1)) {
      if (line.contains(wanted) && line.contains(" - fuse")) {
        return true;
      }
    }
    return false;
  }

  /** One character for each byte, and some of them as octal numbers; proc(5). */
  private static String asTheKernelWrites(Path path) {
    return new String(path.toString().getBytes(UTF_8), ISO_8859_1)
        .replace("\\", "\\134")
        .replace(" ", "\\040")
        .replace("\t", "\\011")
        .replace("\n", "\\012");
  }

  /** Takes the mount away, whoever uses it, with the system's own tools. */
  static void force(Path path) throws InterruptedException {
    if (!runs("umount", "-l", path.toString())) {
      boolean _ = runs("fusermount3", "-u", "-z", path.toString());
    }
  }

  private static boolean runs(String... command) throws InterruptedException {
    try {
      Process process =
          new ProcessBuilder(List.of(command))
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS) && process.exitValue() == 0;
    } catch (IOException e) {
      // There is no such program here.
      return false;
    }
  }
}
