package dev.r3map.internal;

import java.io.IOException;
import java.net.ConnectException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * The file of a listening Unix socket. It is bound under a name that nobody knows, made private,
 * and then takes its place in one step: no moment at which others could connect, and no race
 * between two servers over a stale file.
 */
public final class SocketFile {
  private static final int TYPE_MASK = 0170000;
  private static final int SOCKET = 0140000;

  private final Path path;
  private final Path temporary;
  private @Nullable Object key;

  /** Does nothing yet. */
  public SocketFile(Path path) {
    this.path = path.toAbsolutePath();
    String suffix = HexFormat.of().toHexDigits(new SecureRandom().nextLong(), 8);
    this.temporary = this.path.resolveSibling("." + suffix);
  }

  /** Where to bind. */
  public UnixDomainSocketAddress address() {
    return UnixDomainSocketAddress.of(temporary);
  }

  /** Where clients connect. */
  public Path path() {
    return path;
  }

  /**
   * @throws IOException if the path is taken by something that is not the socket of a dead server
   */
  public void checkFree() throws IOException {
    int mode;
    try {
      mode = (Integer) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    } catch (NoSuchFileException _) {
      return;
    }
    if ((mode & TYPE_MASK) != SOCKET) {
      throw new IOException("cannot listen on %s: it exists and is no socket".formatted(path));
    }
    try (SocketChannel _ = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
      throw new IOException("cannot listen on %s: a server is listening there".formatted(path));
    } catch (ConnectException _) {
      // A dead server's: it will be replaced.
    }
  }

  /** Makes the bound socket reachable, for this user only. */
  public void publish() throws IOException {
    Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rw-------"));
    key = Files.getAttribute(temporary, "unix:ino");
    Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Removes the file, unless another server has taken the path over. */
  public void delete() throws IOException {
    Files.deleteIfExists(temporary);
    if (key == null) {
      return;
    }
    try {
      if (key.equals(Files.getAttribute(path, "unix:ino", LinkOption.NOFOLLOW_LINKS))) {
        Files.deleteIfExists(path);
      }
    } catch (NoSuchFileException _) {
      // Somebody was faster.
    }
  }
}
