package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.FLAG_FIXED_NEWSTYLE;
import static dev.r3map.nbd.protocol.Handshake.FLAG_NO_ZEROES;
import static dev.r3map.nbd.protocol.Handshake.MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OLDSTYLE_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPTION_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPT_EXTENDED_HEADERS;
import static dev.r3map.nbd.protocol.Handshake.REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_TLS_REQD;
import static dev.r3map.nbd.protocol.Transmission.FLAG_CAN_MULTI_CONN;
import static dev.r3map.nbd.protocol.Transmission.FLAG_HAS_FLAGS;
import static dev.r3map.nbd.protocol.Transmission.FLAG_READ_ONLY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Backends;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.nbd.client.Mode;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.Payload;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The client's half of the handshake, with servers of every age. */
@Timeout(60)
class ClientNegotiationTest {
  private static final int SIZE = 1 << 20;
  private static final BackendOptions SOON =
      BackendOptions.DEFAULT.withTimeout(Duration.ofMillis(500));

  @ParameterizedTest
  @CsvSource({
    "EXTENDED, true",
    "STRUCTURED, true",
    "STRUCTURED, false",
    "SIMPLE, true",
    "SIMPLE, false",
  })
  void takesTheNewestThatThereIs(Mode mode, boolean hasGo) throws Exception {
    Payload payload = Payload.of(1);
    try (ScriptedServer peer = new ScriptedServer(SIZE)) {
      peer.best = mode;
      peer.hasGo = hasGo;
      try (NbdBackend backend = NbdBackend.open(peer.start().uri())) {
        backend.write(payload.bytes(0, 10_000), 5);
        backend.sync();

        ByteBuffer back = ByteBuffer.allocate(10_000);
        backend.read(back, 5);

        assertThat(back.flip()).isEqualTo(payload.bytes(0, 10_000));
        assertThat(backend.protocol()).isEqualTo(mode.toString());
        assertThat(backend.size()).isEqualTo(SIZE);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void listsNoHolesWhereTheServerKnowsNone(Mode mode) throws Exception {
    try (ScriptedServer peer = new ScriptedServer(SIZE)) {
      peer.best = mode;
      peer.hasContext = false;
      try (NbdBackend backend = NbdBackend.open(peer.start().uri())) {
        assertThat(backend.extents(0, SIZE).getFirst().hole()).isFalse();
      }
    }
  }

  @Test
  void takesANewstyleServerThatIsNotFixedAndSendsZeroes() throws Exception {
    try (ScriptedServer peer = new ScriptedServer(SIZE)) {
      peer.handshakeFlags = 0;
      try (NbdBackend backend = NbdBackend.open(peer.start().uri())) {
        backend.read(ByteBuffer.allocate(4096), 0);

        assertThat(backend.size()).isEqualTo(SIZE);
      }
    }
  }

  @Test
  void opensOneConnectionUnlessTheServerAllowsMore() throws Exception {
    try (ScriptedServer peer = new ScriptedServer(SIZE)) {
      try (NbdBackend backend = NbdBackend.open(peer.start().uri())) {
        Async.busy(backend, 1);

        assertThat(peer.sockets).hasSize(1);
      }
      peer.flags |= FLAG_CAN_MULTI_CONN;
      try (NbdBackend backend = NbdBackend.open(peer.uri())) {
        Async.busy(backend, 4);
      }
    }
  }

  @Test
  void aReadOnlyExportIsNotWritten() throws Exception {
    try (ScriptedServer peer = new ScriptedServer(SIZE)) {
      peer.flags = FLAG_HAS_FLAGS | FLAG_READ_ONLY;
      try (NbdBackend backend = NbdBackend.open(peer.start().uri())) {
        assertThat(backend.geometry().readOnly()).isTrue();
        assertThatThrownBy(() -> backend.write(ByteBuffer.allocate(1), 0))
            .isInstanceOf(ReadOnlyException.class);
      }
    }
  }

  @Test
  void limitsAreTheServers() throws Exception {
    try (ScriptedServer peer = new ScriptedServer(SIZE)) {
      peer.minimum = 4096;
      peer.maximum = 70_000;
      try (NbdBackend backend = NbdBackend.open(peer.start().uri())) {
        assertThat(backend.geometry().requiredChunk()).isEqualTo(1);
        assertThat(backend.geometry().maxTransfer()).isEqualTo(17 * 4096);
      }
    }
  }

  @Test
  void blockSizesThatMakeNoSenseAreRefused() throws Exception {
    try (ScriptedServer peer = new ScriptedServer(SIZE)) {
      peer.minimum = 3000;

      assertThatThrownBy(() -> NbdBackend.open(peer.start().uri()))
          .isInstanceOf(PermanentIOException.class)
          .hasMessageContaining("block sizes of 3000");
    }
  }

  @Test
  void saysWhatAnswersIfItIsNoNbdServer() throws Exception {
    assertGreetingRefused("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(StandardCharsets.UTF_8))
        .hasMessageContaining("no NBD server");
    assertGreetingRefused(ByteBuffer.allocate(152).putLong(MAGIC).putLong(OLDSTYLE_MAGIC).array())
        .hasMessageContaining("oldstyle");
  }

  @Test
  void aServerThatSaysNothingIsNotWaitedForLong() throws Exception {
    try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      assertThatThrownBy(() -> open(silent))
          .isInstanceOf(IOException.class)
          .isNotInstanceOf(PermanentIOException.class)
          .hasMessageContaining("no connection within 0.5 s");
    }
  }

  @Test
  void aServerThatEndsTheGreetingIsNamed() throws Exception {
    assertGreetingRefused(new byte[] {'N', 'B'})
        .hasMessageContaining("cannot open nbd://127.0.0.1");
  }

  @Test
  void whatTheServerSaysReachesTheUser() throws Exception {
    try (NbdServer server =
        NbdServer.serve(List.of(NbdExport.of("disk", MemoryBackend.of(10)))).start()) {
      assertThatThrownBy(() -> Backends.open(URI.create(server.uri() + "/tape")))
          .isInstanceOf(PermanentIOException.class)
          .hasMessageContaining("has no export 'tape' (")
          .hasMessageEndingWith("; it has: disk");
      assertThat(NbdBackend.at(server.uri()).list()).containsExactly("disk");
    }
  }

  @Test
  void tlsThatTheServerWantsIsNamedAsTheRemedy() throws Exception {
    byte[] text = "TLS only".getBytes(StandardCharsets.UTF_8);
    byte[] refusal =
        greeting()
            .putLong(REPLY_MAGIC)
            .putInt(OPT_EXTENDED_HEADERS)
            .putInt(REP_ERR_TLS_REQD)
            .putInt(text.length)
            .put(text)
            .array();
    assertGreetingRefused(refusal)
        .hasMessageContaining("use nbds:")
        .hasMessageContaining("TLS only");
  }

  @Test
  void aReplyOfAnAbsurdLengthIsNotReceived() throws Exception {
    byte[] reply =
        greeting()
            .putLong(REPLY_MAGIC)
            .putInt(OPT_EXTENDED_HEADERS)
            .putInt(1)
            .putInt(Integer.MAX_VALUE)
            .array();
    assertGreetingRefused(reply).hasMessageContaining("2147483647 bytes");
  }

  private static ByteBuffer greeting() {
    return ByteBuffer.allocate(64)
        .putLong(MAGIC)
        .putLong(OPTION_MAGIC)
        .putShort((short) (FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES));
  }

  private static org.assertj.core.api.AbstractThrowableAssert<?, ?> assertGreetingRefused(
      byte[] greeting) throws Exception {
    try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Thread server =
          Thread.ofVirtual()
              .start(() -> {
                try (Socket socket = listener.accept()) {
                  new DataOutputStream(socket.getOutputStream()).write(greeting);
                  socket.shutdownOutput();
                  socket.getInputStream().readAllBytes();
                } catch (IOException e) {
                  // The client left as soon as it had seen enough.
                  return;
                }
              });
      var refused = assertThatThrownBy(() -> open(listener)).isInstanceOf(IOException.class);
      assertThat(server.join(Duration.ofSeconds(10))).isTrue();
      return refused;
    }
  }

  private static void open(ServerSocket listener) throws IOException {
    NbdBackend.at(URI.create("nbd://127.0.0.1:" + listener.getLocalPort()))
        .options(SOON)
        .open()
        .close();
  }
}
