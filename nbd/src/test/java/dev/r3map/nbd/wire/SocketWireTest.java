package dev.r3map.nbd.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SocketWireTest {
  private ServerSocketChannel listener;
  private SocketChannel socket;
  private SocketChannel peer;
  private SocketWire wire;

  @BeforeEach
  void connect() throws IOException {
    listener = ServerSocketChannel.open();
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    socket = SocketChannel.open(listener.getLocalAddress());
    peer = listener.accept();
    wire = new SocketWire(socket);
  }

  @AfterEach
  void close() throws IOException {
    wire.close();
    peer.close();
    listener.close();
  }

  /** Reads on a thread of its own, which is asleep in that when this returns. */
  private Thread reading(FutureTask<Integer> read) throws InterruptedException {
    Thread reader = Thread.ofPlatform().daemon().start(read);
    while (reader.getState() == Thread.State.NEW) {
      Thread.onSpinWait();
    }
    assertThat(reader.join(java.time.Duration.ofMillis(50))).isFalse();
    return reader;
  }

  @Test
  void sendsAtOnceAndNoticesThatThePeerIsGone() throws IOException {
    assertThat(socket.getOption(StandardSocketOptions.TCP_NODELAY)).isTrue();
    assertThat(socket.getOption(StandardSocketOptions.SO_KEEPALIVE)).isTrue();
  }

  @Test
  void closingEndsAReadThatWaits() throws Exception {
    FutureTask<Integer> read = new FutureTask<>(() -> wire.read(ByteBuffer.allocateDirect(1)));
    reading(read);
    wire.close();
    wire.close();
    assertThatThrownBy(() -> read.get(10, TimeUnit.SECONDS))
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(IOException.class);
  }

  @Test
  void anInterruptEndsNothingAndIsNotForgotten() throws Exception {
    FutureTask<Integer> read =
        new FutureTask<>(() -> {
          int count = wire.read(ByteBuffer.allocateDirect(1));
          assertThat(Thread.currentThread().isInterrupted()).isTrue();
          return count;
        });
    reading(read).interrupt();
    peer.write(ByteBuffer.wrap(new byte[1]));
    assertThat(read.get(10, TimeUnit.SECONDS)).isEqualTo(1);
  }
}
