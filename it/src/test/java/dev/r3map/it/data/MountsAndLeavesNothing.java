package dev.r3map.it.data;

import dev.r3map.it.data.Setting.Kind;
import dev.r3map.it.data.Setting.Store;
import dev.r3map.it.data.Setting.Wire;
import dev.r3map.it.support.Tool;
import dev.r3map.linux.Fuse;
import dev.r3map.testkit.Leaks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * For tests that mount: fails where that cannot be, and proves that each test left no mount, and
 * all of a class no thread, descriptor, mapping or process. A mount that is left is ended by force,
 * so that nothing hangs.
 */
final class MountsAndLeavesNothing
    implements BeforeAllCallback, AfterEachCallback, AfterAllCallback {
  /** Netty and gRPC keep threads of their own for a second or two. */
  private static final Duration PATIENCE = Duration.ofSeconds(15);

  /** Which word of a line of mountinfo it is; proc_pid_mountinfo(5). */
  private static final int MOUNT_POINT = 4;

  private static final Duration POLL = Duration.ofMillis(20);

  private Leaks before;

  @Override
  public void beforeAll(ExtensionContext context) throws Exception {
    Fuse.unavailable()
        .ifPresent(reason -> {
          throw new AssertionError("this test mounts, which cannot be done here: " + reason);
        });
    useEverythingOnce();
    before = Leaks.snapshot();
  }

  @Override
  public void afterEach(ExtensionContext context) throws Exception {
    List<Path> left = mounts();
    for (Path mount : left) {
      Tool.run("umount", "-f", "-l", mount.toString());
    }
    if (!left.isEmpty()) {
      throw new AssertionError("mounts are left: " + left);
    }
  }

  @Override
  public void afterAll(ExtensionContext context) throws InterruptedException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!left().isEmpty()) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError(
            "left behind after %s:%n%s".formatted(PATIENCE, String.join("\n", left())));
      }
      Thread.sleep(POLL);
    }
  }

  /** Mounts are looked at after each test, and others may mount things here while we do. */
  private List<String> left() {
    return before.since().stream().filter(what -> !what.startsWith("mount ")).toList();
  }

  /** Starts the threads that are meant to stay. */
  private static void useEverythingOnce() throws IOException {
    Path folder = Files.createTempDirectory("r3map-it");
    for (Wire wire : Wire.values()) {
      Setting setting = new Setting(Kind.MANAGED, 4096, 4096, Store.MEMORY, wire);
      try (Served served = Served.start(setting, folder);
          Mounted mounted = Mounted.writable(folder.resolve("mounted"), served.uri(), setting)) {
        mounted.region().write(ByteBuffer.allocate(1), 0);
        mounted.region().sync();
      }
    }
    Files.delete(folder);
  }

  /** Of this JVM: others may mount things here, too. */
  private static List<Path> mounts() throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/mountinfo"))) {
      return lines
          .map(line -> Path.of(line.split(" ", -1)[MOUNT_POINT].translateEscapes()))
          .filter(Mounted.paths()::contains)
          .toList();
    }
  }
}
