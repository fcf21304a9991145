package dev.r3map.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class DelayProxyTest {
  private EchoServer server;
  private DelayProxy proxy;

  @BeforeEach
  void start() throws IOException {
    server = new EchoServer();
    proxy = DelayProxy.to(server.port());
  }

  @AfterEach
  void stop() throws Exception {
    proxy.close();
    server.stop();
  }

  @Test
  void bytesArriveAsTheyWereSentAndAreCounted() throws Exception {
    byte[] bytes = new byte[3_000_000];
    Payload.of(1).fill(ByteBuffer.wrap(bytes), 0);
    try (Socket socket = connect()) {
      Thread sender = Thread.ofVirtual().start(() -> send(socket, bytes));
      byte[] back = socket.getInputStream().readNBytes(bytes.length);
      sender.join();

      Payload.of(1).verify(ByteBuffer.wrap(back), 0);
      assertThat(proxy.bytesToTarget()).isEqualTo(bytes.length);
      assertThat(proxy.bytesFromTarget()).isEqualTo(bytes.length);
    }
  }

  @Test
  void roundTripTakesTwiceTheDelay() throws IOException {
    try (Socket socket = connect()) {
      roundTrip(socket);
      for (int millis : new int[] {1, 5, 20}) {
        proxy.delay(Duration.ofMillis(millis));
        long[] nanos = new long[11];
        for (int i = 0; i < nanos.length; i++) {
          nanos[i] = roundTrip(socket);
        }
        Arrays.sort(nanos);

        // The fastest and not the median: what else runs here must not fail this.
        assertThat(nanos[0]).isBetween(2_000_000L * millis, 2_000_000L * millis + 3_000_000);
      }
    }
  }

  @Test
  void bytesSentTogetherWaitTogether() throws Exception {
    proxy.delay(Duration.ofMillis(30));
    try (Socket socket = connect()) {
      long start = System.nanoTime();
      for (int i = 0; i < 20; i++) {
        socket.getOutputStream().write(i);
      }
      socket.getInputStream().readNBytes(20);

      assertThat(System.nanoTime() - start).isBetween(60_000_000L, 200_000_000L);
    }
  }

  @Test
  void bandwidthIsSharedByAllConnections() throws Exception {
    proxy.bandwidth(4 << 20);
    byte[] bytes = new byte[1 << 20];
    long start = System.nanoTime();
    Workers.run(
        2,
        worker -> {
          try (Socket socket = connect()) {
            Thread sender = Thread.ofVirtual().start(() -> send(socket, bytes));
            assertThat(socket.getInputStream().readNBytes(bytes.length)).isEqualTo(bytes);
            sender.join();
          }
        });
    double seconds = (System.nanoTime() - start) / 1e9;

    assertThat(seconds).isBetween(0.45, 1.5);
  }

  @Test
  void stalledConnectionsStayOpenAndGoOn() throws IOException {
    try (Socket socket = connect()) {
      roundTrip(socket);
      proxy.stall();
      socket.getOutputStream().write(7);
      socket.setSoTimeout(100);
      assertThatThrownBy(() -> socket.getInputStream().read())
          .isInstanceOf(SocketTimeoutException.class);

      proxy.resume();

      socket.setSoTimeout(10_000);
      assertThat(socket.getInputStream().read()).isEqualTo(7);
    }
  }

  @Test
  void resetBreaksConnectionsAndServesNewOnes() throws IOException {
    try (Socket socket = connect()) {
      roundTrip(socket);
      proxy.reset();
      assertThatThrownBy(() -> socket.getInputStream().read())
          .isInstanceOf(IOException.class)
          .hasMessageContaining("reset");
    }
    try (Socket socket = connect()) {
      roundTrip(socket);
    }
  }

  @Test
  void cutRefusesNewConnectionsUntilResumed() throws IOException {
    try (Socket socket = connect()) {
      roundTrip(socket);
      proxy.cut();
      assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(IOException.class);
    }
    assertThatThrownBy(
            () -> {
              try (Socket socket = connect()) {
                roundTrip(socket);
              }
            })
        .isInstanceOf(IOException.class);

    proxy.resume();

    try (Socket socket = connect()) {
      roundTrip(socket);
    }
  }

  @Test
  void endOfStreamArrivesAfterTheBytesBeforeIt() throws IOException {
    proxy.delay(Duration.ofMillis(10));
    try (Socket socket = connect()) {
      socket.getOutputStream().write(new byte[] {1, 2, 3});
      socket.shutdownOutput();

      assertThat(socket.getInputStream().readAllBytes()).containsExactly(1, 2, 3);
    }
  }

  @Test
  void targetThatIsGoneResetsTheClient() throws Exception {
    server.stop();
    try (Socket socket = connect()) {
      assertThatThrownBy(() -> roundTrip(socket)).isInstanceOf(IOException.class);
    }
  }

  @Test
  void closeLeavesNothingBehindWhateverIsUnderWay() throws Exception {
    proxy.close();
    Leaks before = Leaks.snapshot();

    proxy = DelayProxy.to(server.port()).delay(Duration.ofSeconds(30));
    List<Socket> sockets = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      Socket socket = connect();
      sockets.add(socket);
      socket.getOutputStream().write(new byte[100_000]);
    }
    proxy.stall();
    proxy.close();
    for (Socket socket : sockets) {
      socket.close();
    }

    before.assertNone(Duration.ofSeconds(10));
  }

  @Test
  void onlyTheLoopbackInterfaceIsServed() {
    assertThat(proxy.address().getAddress().isLoopbackAddress()).isTrue();
    assertThatThrownBy(() -> DelayProxy.to(new InetSocketAddress("192.0.2.1", 80)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private Socket connect() throws IOException {
    Socket socket = new Socket();
    socket.setTcpNoDelay(true);
    socket.connect(proxy.address());
    return socket;
  }

  private static long roundTrip(Socket socket) throws IOException {
    long start = System.nanoTime();
    socket.getOutputStream().write(1);
    if (socket.getInputStream().read() < 0) {
      throw new IOException("end of stream");
    }
    return System.nanoTime() - start;
  }

  private static void send(Socket socket, byte[] bytes) {
    try {
      socket.getOutputStream().write(bytes);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** Sends back what it gets. */
  private static final class EchoServer {
    private final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final Thread acceptor = Thread.ofVirtual().start(this::accept);

    EchoServer() throws IOException {}

    int port() {
      return listener.getLocalPort();
    }

    private void accept() {
      try {
        while (true) {
          Socket socket = listener.accept();
          Thread.ofVirtual().start(() -> echo(socket));
        }
      } catch (IOException e) {
        // Closed.
      }
    }

    private static void echo(Socket socket) {
      try (socket) {
        socket.getInputStream().transferTo(socket.getOutputStream());
      } catch (IOException e) {
        // Reset, as some tests want it.
      }
    }

    void stop() throws IOException, InterruptedException {
      listener.close();
      acceptor.join();
    }
  }
}
