package dev.r3map.cli.mount;

import dev.r3map.cli.args.Resource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

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
    Optional<Path> source = resource.file();
    if (Files.exists(absolute)) {
      if (source.isPresent()
          && Files.exists(source.get())
          && Files.isSameFile(source.get(), absolute)) {
        throw new IllegalArgumentException("cannot mount %s over itself".formatted(asked));
      }
      return absolute.toRealPath();
    }
    Path folder = absolute.getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new IOException(
          "cannot mount at %s: there is no folder %s; make it first (mkdir -p)"
              .formatted(asked, folder));
    }
    return folder.toRealPath().resolve(absolute.getFileName());
  }
}
