package dev.r3map.testkit;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Files in one file system or another. */
abstract class FileBackendConformance extends BackendConformance {
  private final Path parent;
  private Path folder;
  private int files;

  FileBackendConformance(Path parent) {
    this.parent = parent;
  }

  @BeforeEach
  void makeFolder() throws IOException {
    folder = Files.createTempDirectory(parent, "r3map-conformance");
  }

  @AfterEach
  void deleteFolder() throws IOException {
    try (var all = Files.list(folder)) {
      for (Path file : all.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }

  @Override
  protected Backend create(long size) throws IOException {
    return FileBackend.open(newPath(), BackendOptions.DEFAULT.withCreate(size));
  }

  @Override
  protected Optional<Backend> reopen(Backend backend) throws IOException {
    backend.close();
    return Optional.of(FileBackend.open(Path.of(backend.toString())));
  }

  @Override
  protected Optional<Backend> createReadOnly(long size, Payload content) throws IOException {
    Path file = newPath();
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      channel.write(content.bytes(0, Math.toIntExact(size)));
    }
    return Optional.of(FileBackend.open(file, BackendOptions.DEFAULT.withReadOnly(true)));
  }

  private Path newPath() {
    return folder.resolve("resource-" + files++);
  }
}
