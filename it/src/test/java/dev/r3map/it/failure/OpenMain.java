package dev.r3map.it.failure;

import dev.r3map.Device;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.FileBackend;
import dev.r3map.linux.Fuse;
import dev.r3map.spi.Platform;
import dev.r3map.testkit.Leaks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;

/**
 * A process that opens and closes mounts while their local store fails: {@code FOLDER SERVED
 * cached|memory}. Told to {@code mount}, to {@code remember} what it has and to {@code compare} it
 * with what it has then, or to do all this while each call of the platform fails, {@code failAll}.
 */
final class OpenMain {
  private static final Duration SOON = Duration.ofSeconds(10);
  private static final int CHUNK = 64 << 10;

  private final Path folder;
  private final FileBackend remote;
  private final boolean cached;
  private Leaks before = Leaks.snapshot();

  private OpenMain(Path folder, FileBackend remote, boolean cached) {
    this.folder = folder;
    this.remote = remote;
    this.cached = cached;
  }

  public static void main(String[] args) throws Exception {
    try (FileBackend remote = FileBackend.open(Path.of(args[1]))) {
      OpenMain all = new OpenMain(Path.of(args[0]), remote, args[2].equals("cached"));
      Commands.serve(words -> all.run(words[0]));
    }
  }

  private String run(String command) throws IOException {
    switch (command) {
      case "mount" -> mount();
      case "remember" -> before = Leaks.snapshot();
      case "compare" -> requireNothingLeft();
      case "failAll" -> {
        return Integer.toString(failAll());
      }
      case "close" -> {}
      default -> throw new IllegalArgumentException(command);
    }
    return "";
  }

  /** One call after the other, of the platform and of what it opened; says how many failures. */
  private int failAll() throws IOException {
    if (!(Platform.current() instanceof BrittlePlatform)) {
      throw new AssertionError("the platform is " + Platform.current());
    }
    int failures = 0;
    for (Failure failure : Failure.values()) {
      for (int failing = 0; ; failing++) {
        before = Leaks.snapshot();
        BrittlePlatform.fail(failing, failure);
        try {
          mount();
        } catch (IOException | IllegalStateException | LinkageError e) {
          failures++;
          requireInjected(e);
        }
        int calls = BrittlePlatform.calls();
        requireNothingLeft();
        if (failing >= calls) {
          break;
        }
      }
    }
    return failures;
  }

  private static void requireInjected(Throwable thrown) {
    for (Throwable e = thrown; e != null; e = e.getCause()) {
      if ("injected".equals(e.getMessage())) {
        return;
      }
    }
    throw new AssertionError("another failure than the injected one", thrown);
  }

  private void mount() throws IOException {
    ManagedMount mount = ManagedMount.on(remote).chunkSize(CHUNK).ioTimeout(SOON).pullFirst(0.01);
    if (cached) {
      mount.cache(folder.resolve("cache"));
    }
    try (Region region = mount.open();
        Device device = Fuse.attach(region, folder.resolve("mounted"))) {
      if (!Files.exists(device.path())) {
        throw new AssertionError("not mounted");
      }
    } finally {
      Files.deleteIfExists(folder.resolve("cache"));
      Files.deleteIfExists(folder.resolve("cache.journal"));
    }
  }

  private void requireNothingLeft() throws IOException {
    before.assertNone(SOON);
    try (Stream<Path> left = Files.list(folder)) {
      left.findFirst()
          .ifPresent(path -> {
            throw new AssertionError("left: " + path);
          });
    }
  }
}
