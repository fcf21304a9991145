package dev.r3map.nbd;

import dev.r3map.internal.SocketFile;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Where a server is to listen: at an address, or on a socket that listens already. */
final class Door {
  private final SocketAddress address;
  private final @Nullable SocketFile file;
  private final @Nullable ServerSocketChannel given;

  private Door(
      SocketAddress address, @Nullable SocketFile file, @Nullable ServerSocketChannel given) {
    this.address = address;
    this.file = file;
    this.given = given;
  }

  static Door at(InetSocketAddress address) {
    return new Door(address, null, null);
  }

  static Door at(Path socket) {
    SocketFile file = new SocketFile(socket);
    return new Door(file.address(), file, null);
  }

  /** Its path, if it has one, is somebody else's. */
  static Door of(ServerSocketChannel listening) throws IOException {
    return new Door(listening.getLocalAddress(), null, listening);
  }

  SocketAddress address() {
    return address;
  }

  /** From now on clients can connect; {@link #close} ends that. */
  ServerSocketChannel open() throws IOException {
    if (given != null) {
      return given;
    }
    if (file == null) {
      return bind(ServerSocketChannel.open());
    }
    file.checkFree();
    ServerSocketChannel listener = bind(ServerSocketChannel.open(StandardProtocolFamily.UNIX));
    try {
      file.publish();
      return listener;
    } catch (IOException | RuntimeException e) {
      close(listener);
      throw e;
    }
  }

  private ServerSocketChannel bind(ServerSocketChannel listener) throws IOException {
    try {
      return listener.bind(address);
    } catch (IOException | RuntimeException e) {
      close(listener);
      throw e;
    }
  }

  void close(ServerSocketChannel listener) throws IOException {
    listener.close();
    if (file != null) {
      file.delete();
    }
  }

  /** How a client on this host writes where {@code listener} listens. */
  URI uri(String scheme, ServerSocketChannel listener) throws IOException {
    if (file != null) {
      return unix(scheme, file.path());
    }
    SocketAddress bound = listener.getLocalAddress();
    if (bound instanceof UnixDomainSocketAddress unix) {
      return unix(scheme, unix.getPath());
    }
    InetSocketAddress inet = (InetSocketAddress) bound;
    InetAddress host = inet.getAddress();
    // The wildcard is nobody's address.
    String shown = host.isAnyLocalAddress() ? "localhost" : host.getHostAddress();
    return URI.create(
        "%s://%s:%d"
            .formatted(scheme, shown.contains(":") ? "[" + shown + "]" : shown, inet.getPort()));
  }

  private static URI unix(String scheme, Path socket) {
    return URI.create(scheme + "+unix:///?socket=" + socket.toUri().getRawPath());
  }
}
