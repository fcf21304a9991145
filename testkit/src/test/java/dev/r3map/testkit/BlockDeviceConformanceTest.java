package dev.r3map.testkit;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** A loop device over a sparse file. */
class BlockDeviceConformanceTest extends BackendConformance {
  @TempDir private Path folder;
  private final List<String> devices = new ArrayList<>();
  private int files;

  @AfterEach
  void detach() throws Exception {
    // Before the kit closes what is open: a device that is in use goes when that ends.
    for (String device : devices) {
      run("losetup", "-d", device);
    }
  }

  @Override
  protected Backend create(long size) throws Exception {
    assumeTrue(size > 0, "an empty device cannot be had");
    Path file = folder.resolve("disk-" + files++);
    try (RandomAccessFile disk = new RandomAccessFile(file.toFile(), "rw")) {
      disk.setLength(size);
    }
    return FileBackend.open(attach(file));
  }

  @Override
  protected Optional<Backend> reopen(Backend backend) throws IOException {
    backend.close();
    return Optional.of(FileBackend.open(Path.of(backend.toString())));
  }

  @Override
  protected Optional<Backend> createReadOnly(long size, Payload content) throws Exception {
    Path file = folder.resolve("disk-" + files++);
    ByteBuffer bytes = content.bytes(0, Math.toIntExact(size));
    try (FileChannel disk =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      disk.write(bytes);
    }
    return Optional.of(FileBackend.open(attach(file, "--read-only")));
  }

  @Override
  protected int sizeUnit() {
    return 512;
  }

  private Path attach(Path file, String... options) throws Exception {
    List<String> command = new ArrayList<>(List.of("losetup", "-f", "--show"));
    command.addAll(List.of(options));
    command.add(file.toString());
    String device = run(command.toArray(String[]::new));
    devices.add(device);
    return Path.of(device);
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException(String.join(" ", command) + ": " + output);
    }
    return output.strip();
  }
}
