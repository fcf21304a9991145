package dev.r3map.linux.fuse;

import dev.r3map.Region;
import dev.r3map.linux.Fuse;
import java.io.File;
import java.net.URISyntaxException;
import java.nio.file.Path;

/** Where classes are, for other processes. */
final class Classes {
  private Classes() {}

  /** The classes of these tests alone. */
  static Path tests() {
    return of(Fuse.class).resolveSibling("test-classes");
  }

  /** A class path with everything. */
  static String path() {
    return String.join(
        File.pathSeparator,
        tests().toString(),
        of(Fuse.class).toString(),
        of(Region.class).toString());
  }

  private static Path of(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
