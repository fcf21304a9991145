package dev.r3map.cli.args;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;

/** A resource that the user named: a URI, or the path of a file. */
public record Resource(URI uri) {

  /**
   * @throws IllegalArgumentException if {@code text} is neither a URI nor a path
   */
  public static Resource parse(String text) {
    // A URI cannot be without anything after the colon.
    return new Resource(Backends.parse(text.equals("memory:") ? "memory:?" : text));
  }

  public Backend open(BackendOptions options) throws IOException {
    return Backends.open(uri, options);
  }

  /** Where it is, if it is a file of this host. */
  public Optional<Path> file() {
    return "file".equalsIgnoreCase(uri.getScheme()) && !uri.isOpaque()
        ? Optional.of(Path.of(uri))
        : Optional.empty();
  }

  /** Whether it is made when it is opened, full of zeros. */
  public boolean isMemory() {
    return "memory".equalsIgnoreCase(uri.getScheme());
  }

  /** Whether it is memory that has yet to be told its size. */
  public boolean isUnsizedMemory() {
    return isMemory() && uri.getSchemeSpecificPart().chars().noneMatch(Character::isDigit);
  }

  /** A name for a file that shows this resource. */
  public String fileName() {
    String path = uri.getPath();
    if (path != null) {
      Path name = Path.of(path).getFileName();
      if (name != null && !name.toString().isEmpty()) {
        return name.toString();
      }
    }
    String host = uri.getHost();
    if (host == null) {
      return uri.getScheme();
    }
    return uri.getPort() < 0 ? host : host + "-" + uri.getPort();
  }

  /** The resource without anything in its URI that may be secret. */
  @Override
  public String toString() {
    if (uri.isOpaque()) {
      return uri.toString().replaceFirst("\\?$", "");
    }
    return file()
        .map(Path::toString)
        .orElseGet(() -> "%s://%s%s".formatted(uri.getScheme(), authority(), uri.getPath()));
  }

  private String authority() {
    String authority = uri.getRawAuthority();
    return authority == null ? "" : authority.replaceFirst("^.*@", "***@");
  }
}
