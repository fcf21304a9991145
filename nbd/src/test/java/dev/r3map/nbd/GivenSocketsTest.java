package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.FLAG_FIXED_NEWSTYLE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.MemoryBackend;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Sockets that somebody else has made. */
@Timeout(60)
class GivenSocketsTest {
  private MemoryBackend memory;
  private ServerSocketChannel socket;

  @BeforeEach
  void open() throws IOException {
    memory = MemoryBackend.of(1 << 20);
    socket = ServerSocketChannel.open();
    socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
  }

  @AfterEach
  void close() throws IOException {
    socket.close();
    memory.close();
  }

  private int port() throws IOException {
    return ((InetSocketAddress) socket.getLocalAddress()).getPort();
  }

  /** Talks until it may send requests. */
  private static void choose(Socket client) throws IOException {
    client.setSoTimeout(10_000);
    RawClient talk = RawClient.through(client.getInputStream(), client.getOutputStream());
    talk.greet(FLAG_FIXED_NEWSTYLE);
    talk.go("");
  }

  @Test
  void oneThatListensIsServedAndThenClosed() throws IOException {
    try (NbdServer server = NbdServer.serve(memory).listen(socket).start();
        RawClient client = RawClient.ready(server)) {
      assertThat(server.uri()).isEqualTo(URI.create("nbd://127.0.0.1:" + port()));
      assertThat(client.socket.isConnected()).isTrue();
    }
    assertThat(socket.isOpen()).isFalse();
  }

  @Test
  void oneThatListensBeyondThisHostIsNotServedInPlaintext() throws IOException {
    try (ServerSocketChannel everywhere = ServerSocketChannel.open().bind(null)) {
      NbdServer.Builder builder = NbdServer.serve(memory).listen(everywhere);
      assertThatThrownBy(builder::start)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("--insecure");
    }
  }

  @Test
  void oneThatIsConnectedIsServedUntilItsClientLeaves() throws Exception {
    CompletableFuture<Void> end = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            NbdServer.serve(memory).serveOne(socket.accept());
            end.complete(null);
          } catch (IOException | RuntimeException e) {
            end.completeExceptionally(e);
          }
        });
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port())) {
      choose(client);
      assertThat(end).isNotDone();
    }
    assertThat(end).succeedsWithin(10, TimeUnit.SECONDS);
  }

  @Test
  void whoShutsTheInputOfAConnectedOneDownEndsItsService() throws Exception {
    CompletableFuture<SocketChannel> accepted = new CompletableFuture<>();
    Thread server =
        Thread.ofVirtual()
            .start(() -> {
              try {
                SocketChannel client = socket.accept();
                accepted.complete(client);
                NbdServer.serve(memory).serveOne(client);
              } catch (IOException e) {
                accepted.completeExceptionally(e);
              }
            });
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port())) {
      choose(client);
      accepted.get(10, TimeUnit.SECONDS).shutdownInput();
      assertThat(server.join(Duration.ofSeconds(10))).isTrue();
    }
  }
}
