package dev.r3map.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;

/**
 * Does once what commands do, so that the JVM notes which classes that takes to start, and which
 * methods are worth compiling; the launcher calls it when it makes the AOT cache. What does not
 * work here is left out.
 */
@Command(name = "train", hidden = true, description = "Used by the launcher after a build.")
final class TrainCommand implements Callable<Integer> {
  /** Enough for the methods that bytes go through to be compiled to the end. */
  private static final int SIZE = 128 << 20;

  private static final int BUFFER = 1 << 20;
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  @Override
  public Integer call() throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("r3map-train-");
    try {
      Path source = folder.resolve("source");
      // Nothing but zeros would not travel.
      byte[] bytes = new byte[SIZE];
      new SplittableRandom(SIZE).nextBytes(bytes);
      Files.write(source, bytes);
      Path socket = folder.resolve("socket");
      String resource = "grpc+unix://" + socket;
      // Ends with this process: the signal that would end it goes to the mount.
      Thread.ofPlatform()
          .daemon()
          .start(() -> execute("serve", source.toString(), "--listen", resource, "--json"));
      if (comes(() -> Files.exists(socket))) {
        execute("info", resource, "--json");
        mount(resource, folder.resolve("file"));
        execute("copy", resource, folder.resolve("copy").toString(), "--json");
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

  /** Reads and writes the file once it is mounted, and then asks this process to unmount it. */
  private static void use(Path file) {
    try {
      if (comes(() -> Files.exists(file) && Files.size(file) == SIZE)) {
        try (FileChannel bytes =
            FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
          ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
          while (bytes.read(buffer.clear()) > 0) {
            bytes.write(buffer.flip(), bytes.position() - buffer.limit());
          }
          bytes.force(false);
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
