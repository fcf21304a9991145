package dev.r3map.nbd.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import org.junit.jupiter.api.Test;

class SocketWireTest {
  @Test
  void sendsAtOnceAndNoticesThatThePeerIsGone() throws Exception {
    try (ServerSocketChannel listener = ServerSocketChannel.open()) {
      listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      try (SocketChannel socket = SocketChannel.open(listener.getLocalAddress());
          SocketWire wire = new SocketWire(socket)) {
        assertThat(socket.getOption(StandardSocketOptions.TCP_NODELAY)).isTrue();
        assertThat(socket.getOption(StandardSocketOptions.SO_KEEPALIVE)).isTrue();
        assertThat(wire).isNotNull();
      }
    }
  }
}
