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
import org.junit.jupiter.api.io.TempDir;

class FileBackendConformanceTest extends BackendConformance {
  @TempDir private Path folder;

  @Override
  protected Backend create(long size) throws IOException {
    Path file = Files.createTempFile(folder, "resource", "");
    Files.delete(file);
    return FileBackend.open(file, BackendOptions.DEFAULT.withCreate(size));
  }

  @Override
  protected Optional<Backend> reopen(Backend backend) throws IOException {
    backend.close();
    return Optional.of(FileBackend.open(Path.of(backend.toString())));
  }

  @Override
  protected Optional<Backend> createReadOnly(long size, Payload content) throws IOException {
    Path file = Files.createTempFile(folder, "resource", "");
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(content.bytes(0, Math.toIntExact(size)));
    }
    return Optional.of(FileBackend.open(file, BackendOptions.DEFAULT.withReadOnly(true)));
  }
}
