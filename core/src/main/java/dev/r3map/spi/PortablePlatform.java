package dev.r3map.spi;

import dev.r3map.backend.Extent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What can be done with the JDK alone: memory is a temporary file, and there are no holes. */
final class PortablePlatform implements Platform {

  @Override
  public LocalStorage memory(long size) throws IOException {
    Path file = Files.createTempFile("r3map", ".memory");
    try {
      return new PlainFile(file, size, false);
    } finally {
      Files.delete(file);
    }
  }

  @Override
  public LocalStorage file(Path path, long size) throws IOException {
    return new PlainFile(path, size, true);
  }

  @Override
  public List<Extent> extents(Path file, long offset, long length) {
    return length == 0 ? List.of() : List.of(Extent.data(offset, length));
  }

  @Override
  public boolean punch(Path file, long offset, long length) {
    return false;
  }
}
