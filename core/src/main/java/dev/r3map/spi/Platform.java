package dev.r3map.spi;

import dev.r3map.backend.Extent;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * What the operating system offers beyond the JDK. The module {@code dev.r3map.linux} provides one;
 * without it there is a fallback that the JDK alone can do.
 */
public interface Platform {

  /** Anonymous memory that takes only the space of what is written. */
  LocalStorage memory(long size) throws IOException;

  /** A sparse file, made or opened, and set to {@code size} bytes. */
  LocalStorage file(Path path, long size) throws IOException;

  /** Data and holes of a file; the rules are those of {@code Backend.extents}. */
  List<Extent> extents(Path file, long offset, long length) throws IOException;

  /**
   * Frees the space of a range of a file, which reads as zeros afterwards.
   *
   * @return false if this cannot be done here, and nothing was
   */
  boolean punch(Path file, long offset, long length) throws IOException;

  /** The best one that works here. */
  static Platform current() {
    return Platforms.CURRENT;
  }
}
