package dev.r3map.linux.storage;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.BackendConformance;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.io.TempDir;

/** Files with real holes. */
class FileOnLinuxConformanceTest extends BackendConformance {
  @TempDir Path folder;
  private int files;

  @Override
  protected Backend create(long size) throws IOException {
    return FileBackend.open(
        folder.resolve("file" + files++), BackendOptions.DEFAULT.withCreate(size));
  }

  @Override
  protected Optional<Backend> reopen(Backend backend) throws IOException {
    backend.close();
    return Optional.of(FileBackend.open(Path.of(backend.toString())));
  }
}
