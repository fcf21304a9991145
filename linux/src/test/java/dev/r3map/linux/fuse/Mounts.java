package dev.r3map.linux.fuse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * For tests that mount: skips them where that cannot be, and proves after each that it left no
 * mount, descriptor or thread. A mount that is left is ended by force, so that nothing hangs.
 */
final class Mounts implements BeforeEachCallback, AfterEachCallback, ExecutionCondition {
  private long descriptors;

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    return FuseSupport.unavailable()
        .map(ConditionEvaluationResult::disabled)
        .orElseGet(() -> ConditionEvaluationResult.enabled("FUSE works here"));
  }

  @Override
  public void beforeEach(ExtensionContext context) throws Exception {
    descriptors = fuseDescriptors();
  }

  @Override
  public void afterEach(ExtensionContext context) throws Exception {
    List<String> left = mounts();
    for (String mount : left) {
      run("umount", "-f", "-l", mount);
    }
    if (!left.isEmpty()) {
      throw new AssertionError("mounts are left: " + left);
    }
    awaitNone("threads", Mounts::threads);
    if (fuseDescriptors() != descriptors) {
      throw new AssertionError("descriptors are left");
    }
  }

  /** Where this library has something mounted, in this JVM's view. */
  static List<String> mounts() throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/mountinfo"))) {
      return lines
          .filter(line -> line.contains(" fuse.r3map "))
          .map(line -> MountInfo.unescape(line.split(" ", -1)[4]))
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

  private static void awaitNone(String what, java.util.function.Supplier<List<String>> left)
      throws Exception {
    await(what + " are left: " + left.get(), () -> left.get().isEmpty());
  }

  private static long fuseDescriptors() throws IOException {
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
