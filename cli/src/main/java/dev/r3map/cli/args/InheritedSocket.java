package dev.r3map.cli.args;

import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/**
 * The socket that standard input is: that is the only one that Java finds by itself. The launcher
 * puts it there when somebody else listens for us.
 */
final class InheritedSocket {
  /** Of sd_listen_fds(3): for which process the sockets are, and how many. */
  private static final String FOR_PROCESS = "LISTEN_PID";

  private static final String COUNT = "LISTEN_FDS";

  private InheritedSocket() {}

  /** Whether somebody else listens for us, such as systemd. */
  static boolean isActivated() {
    return Long.toString(ProcessHandle.current().pid()).equals(System.getenv(FOR_PROCESS));
  }

  /**
   * The socket on which somebody else listens.
   *
   * @throws IllegalArgumentException if there is more than one
   */
  static ServerSocketChannel listening() throws IOException {
    String count = System.getenv(COUNT);
    if (!"1".equals(count)) {
      throw new IllegalArgumentException(
          "%s sockets were handed over by %s: one can be served".formatted(count, COUNT));
    }
    if (System.inheritedChannel() instanceof ServerSocketChannel socket) {
      return socket;
    }
    throw new IllegalArgumentException(
        "the socket that was handed over by %s does not listen, or is not on standard input, where"
                .formatted(COUNT)
            + " the script r3map puts it");
  }

  /**
   * The client at the other end of standard input.
   *
   * @throws IllegalArgumentException if there is none
   */
  static SocketChannel client() throws IOException {
    Channel channel = System.inheritedChannel();
    if (channel instanceof SocketChannel socket) {
      return socket;
    }
    throw new IllegalArgumentException("--stdio: standard input is not the socket of a client");
  }
}
