package dev.r3map.cli.mount;

import dev.r3map.cli.args.Resource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where a resource is to be mounted. */
public final class MountPoint {
  private MountPoint() {}

  /**
   * The path of the file to mount at, absolute and without symbolic links; in a folder, the file
   * there that is named like the resource.
   *
   * @throws IllegalArgumentException if that is the resource itself
   * @throws IOException if there is no folder for it
   */
  public static Path of(Path asked, Resource resource) throws IOException {
    Path file = Files.isDirectory(asked) ? asked.resolve(resource.fileName()) : asked;
    Path absolute = file.toAbsolutePath().normalize();
    Path folder = absolute.getParent();
    Path name = absolute.getFileName();
    if (folder == null || name == null || !Files.isDirectory(folder)) {
      throw new IOException(
          "cannot mount at %s: there is no folder %s; make it first (mkdir -p)"
              .formatted(asked, folder));
    }
    // A path that a dead process left mounted cannot be looked at; it is cleared later.
    Path real =
        Files.isSymbolicLink(absolute) ? absolute.toRealPath() : folder.toRealPath().resolve(name);
    if (resource.file().map(source -> isSame(source, real)).orElse(false)) {
      throw new IllegalArgumentException("cannot mount %s over itself".formatted(asked));
    }
    return real;
  }

  private static boolean isSame(Path source, Path mountPoint) {
    try {
      return Files.isSameFile(source, mountPoint);
    } catch (IOException e) {
      // One of the two is not there.
      return false;
    }
  }
}
