package dev.r3map.linux.fuse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** What a device may have left behind, and other things that tests look for. */
final class Leaks {
  private Leaks() {}

  /** Where this library has something mounted in a directory; other tests may have theirs. */
  static List<String> mounts(Path directory) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/mountinfo"))) {
      return lines
          .filter(line -> line.contains(" fuse.r3map "))
          .map(line -> MountInfo.unescape(line.split(" ", -1)[4]))
          .filter(mount -> Path.of(mount).startsWith(directory))
          .toList();
    }
  }

  /** The threads of devices. */
  static List<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("r3map FUSE"))
        .toList();
  }

  static int run(String... command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    if (!process.waitFor(20, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError(String.join(" ", command) + " hangs");
    }
    return process.exitValue();
  }

  /** Waits for something to be so. */
  static void await(String what, Condition condition) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.holds()) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError(what + " does not come true");
      }
      Thread.sleep(1);
    }
  }

  interface Condition {
    boolean holds() throws Exception;
  }

  static void awaitNone(String what, Supplier<List<String>> left) throws Exception {
    await(what + " are left: " + left.get(), () -> left.get().isEmpty());
  }

  static long fuseDescriptors() throws IOException {
    try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
      return all.filter(
              fd -> {
                try {
                  return Files.readSymbolicLink(fd).toString().equals("/dev/fuse");
                } catch (IOException e) {
                  return false;
                }
              })
          .count();
    }
  }
}
