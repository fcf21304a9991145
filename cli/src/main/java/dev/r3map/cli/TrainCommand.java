package dev.r3map.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;

/**
 * Does once what commands do when they start, so that the JVM notes which classes that takes; the
 * launcher calls it when it makes the AOT cache. What does not work here is left out.
 */
@Command(name = "train", hidden = true, description = "Used by the launcher after a build.")
final class TrainCommand implements Callable<Integer> {
  private static final int SIZE = 4 << 20;
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("r3map-train-");
    try {
      Path socket = folder.resolve("socket");
      String resource = "grpc+unix://" + socket;
      // Ends with this process: the signal that would end it goes to the mount.
      Thread.ofPlatform()
          .daemon()
          .start(() -> execute("serve", "memory:" + SIZE, "--listen", resource, "--json"));
      if (comes(() -> Files.exists(socket))) {
        execute("info", resource, "--json");
        mount(resource, folder.resolve("file"));
      }
      execute("version");
    } finally {
      deleteAll(folder);
    }
    return ExitCode.OK;
  }

  private static void mount(String resource, Path file) throws InterruptedException {
    Thread user = Thread.ofPlatform().daemon().start(() -> use(file));
    execute("mount", resource, file.toString(), "--json");
    user.interrupt();
    user.join();
  }

  /** Reads the file once it is mounted, and then asks this process to unmount it. */
  private static void use(Path file) {
    try {
      if (comes(() -> Files.exists(file) && Files.size(file) == SIZE)) {
        try (FileChannel bytes = FileChannel.open(file)) {
          bytes.read(ByteBuffer.allocate(SIZE));
        }
        String self = Long.toString(ProcessHandle.current().pid());
        new ProcessBuilder("kill", "-TERM", self).start().waitFor();
      }
    } catch (IOException e) {
      // The mount command says what is wrong, and nobody reads it: this is an attempt.
      return;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void execute(String... arguments) {
    int _ = CommandLines.execute(arguments);
  }

  private static boolean comes(Callable<Boolean> condition) throws InterruptedException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (System.nanoTime() < deadline) {
      try {
        if (condition.call()) {
          return true;
        }
      } catch (Exception e) {
        return false;
      }
      Thread.sleep(1);
    }
    return false;
  }

  private static void deleteAll(Path folder) throws IOException {
    List<Path> left;
    try (Stream<Path> files = Files.list(folder)) {
      left = files.toList();
    }
    for (Path file : left) {
      Files.delete(file);
    }
    Files.delete(folder);
  }
}
