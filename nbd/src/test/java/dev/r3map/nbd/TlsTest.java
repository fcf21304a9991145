package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.*;
import static dev.r3map.nbd.protocol.Transmission.CMD_DISC;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.internal.TlsFiles;
import dev.r3map.testkit.Pki;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class TlsTest {
  private static final long SIZE = 64 << 20;

  @TempDir static Path dir;
  private static Pki pki;
  private static Pki.Issued serverFiles;
  private static SSLContext trusting;

  private MemoryBackend memory;
  private NbdServer server;

  @BeforeAll
  static void issue() throws Exception {
    pki = new Pki(dir, "nbd-test-ca");
    serverFiles = pki.issue("server", "san=dns:localhost,ip:127.0.0.1");
    trusting = TlsFiles.context(Optional.of(pki.authority()), Optional.empty(), Optional.empty());
  }

  @BeforeEach
  void serve() throws IOException {
    memory = MemoryBackend.of(SIZE);
    server = builder().start();
  }

  private NbdServer.Builder builder() {
    return NbdServer.serve(
            List.of(
                NbdExport.of("open", memory),
                NbdExport.of("secret", memory).withDescription("hidden").withTlsOnly(true)))
        .tls(serverFiles.certificate(), serverFiles.key())
        .handshakeTimeout(Duration.ofSeconds(5));
  }

  private void restart(NbdServer.Builder builder) throws IOException {
    server.close();
    server = builder.start();
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    memory.close();
  }

  @Test
  void whatIsReadAndWrittenIsRight() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.startTls(trusting);
      client.ask(OPT_STRUCTURED_REPLY);
      client.ack();
      client.go("secret");
      for (int length : new int[] {1, 16384, 16385, 300_000, 32 << 20}) {
        byte[] bytes = new byte[length];
        new SplittableRandom(length).nextBytes(bytes);
        client.request(CMD_WRITE, 0, 1, 3, length);
        client.out.write(bytes);
        assertThat(client.chunk().error()).isZero();
        client.request(CMD_READ, 0, 2, 3, length);
        assertThat(Arrays.equals(client.assemble(3, length), bytes)).isTrue();
      }
      // The end is announced: nothing can be cut off unnoticed.
      client.request(CMD_DISC, 0, 3, 0, 0);
      assertThat(client.in.read()).isEqualTo(-1);
    }
  }

  @Test
  void nothingButTlsIsTakenWhereItIsRequired() throws IOException {
    assertThat(server.uri().getScheme()).isEqualTo("nbds");
    try (RawClient client = RawClient.greeted(server)) {
      for (int option : new int[] {OPT_LIST, OPT_STRUCTURED_REPLY, OPT_EXTENDED_HEADERS, 99}) {
        client.ask(option);
        assertThat(client.reply().type()).isEqualTo(REP_ERR_TLS_REQD);
      }
      client.ask(OPT_GO, RawClient.info("open"));
      assertThat(client.reply().type()).isEqualTo(REP_ERR_TLS_REQD);
      client.startTls(trusting);
      client.go("open");
    }
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_ABORT);
      client.ack();
    }
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_EXPORT_NAME, "open".getBytes(StandardCharsets.UTF_8));
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void exportsThatNeedTlsAreHiddenWithoutIt() throws IOException {
    restart(builder().plaintextToo(true));
    assertThat(server.uri().getScheme()).isEqualTo("nbd");
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_LIST);
      assertThat(client.replies()).hasSize(2);
      client.ask(OPT_INFO, RawClient.info("secret"));
      assertThat(client.reply().type()).isEqualTo(REP_ERR_TLS_REQD);
      client.startTls(trusting);
      client.ask(OPT_LIST);
      assertThat(client.replies()).hasSize(3);
      client.go("secret");
    }
    try (RawClient client = RawClient.greeted(server)) {
      client.go("open");
      client.request(CMD_READ, 0, 1, 0, 512);
      assertThat(client.chunk().error()).isZero();
    }
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_EXPORT_NAME, "secret".getBytes(StandardCharsets.UTF_8));
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void whatWasAgreedOnInPlaintextIsForgotten() throws IOException {
    restart(builder().plaintextToo(true));
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_STRUCTURED_REPLY);
      client.ack();
      client.startTls(trusting);
      client.ask(OPT_SET_META_CONTEXT, RawClient.contexts("open", "base:allocation"));
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_STARTTLS);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_STRUCTURED_REPLY);
      client.ack();
      client.go("open");
    }
  }

  @Test
  void dataWithStartTlsIsRefused() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_STARTTLS, (byte) 1);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.startTls(trusting);
    }
  }

  @Test
  void onlyClientsWithAnOwnCertificateAreTakenWhereOneIsAskedFor() throws Exception {
    restart(builder().clientCa(pki.authority()));
    try (RawClient client = RawClient.greeted(server)) {
      assertThatThrownBy(
              () -> {
                client.startTls(trusting);
                client.go("open");
              })
          .isInstanceOf(IOException.class);
    }
    Pki.Issued files = pki.issue("a-client");
    try (RawClient client = RawClient.greeted(server)) {
      client.startTls(
          TlsFiles.context(
              Optional.of(pki.authority()),
              Optional.of(files.certificate()),
              Optional.of(files.key())));
      client.go("open");
    }
    Pki other = new Pki(dir, "somebody-else");
    Pki.Issued foreign = other.issue("a-stranger");
    try (RawClient client = RawClient.greeted(server)) {
      assertThatThrownBy(
              () -> {
                client.startTls(
                    TlsFiles.context(
                        Optional.of(pki.authority()),
                        Optional.of(foreign.certificate()),
                        Optional.of(foreign.key())));
                client.go("open");
              })
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void aClientThatTrustsSomebodyElseGoesAndTheServerLives() throws Exception {
    Pki other = new Pki(dir, "not-ours");
    SSLContext misled =
        TlsFiles.context(Optional.of(other.authority()), Optional.empty(), Optional.empty());
    try (RawClient client = RawClient.greeted(server)) {
      assertThatThrownBy(() -> client.startTls(misled)).isInstanceOf(SSLException.class);
    }
    try (RawClient client = RawClient.greeted(server)) {
      client.startTls(trusting);
      client.go("open");
    }
  }

  @Test
  void aClientThatStallsInTheTlsHandshakeIsSentAway() throws IOException {
    restart(builder().handshakeTimeout(Duration.ofMillis(300)));
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_STARTTLS);
      client.ack();
      assertThat(client.isEnded()).isTrue();
    }
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_STARTTLS);
      client.ack();
      client.out.write(
          "this is no TLS, but it is long enough to be read".getBytes(StandardCharsets.US_ASCII));
      // An alert, perhaps, and then the end.
      byte[] last = client.in.readAllBytes();
      assertThat(last.length).isLessThan(64);
    }
  }

  @Test
  void filesThatAreMissingOrNotWhatTheyShouldBeAreNamed() throws Exception {
    Path absent = dir.resolve("absent.pem");
    assertThatThrownBy(() -> builder().tls(absent, serverFiles.key()).start())
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining(absent.toString());
    Path garbage = Files.writeString(dir.resolve("garbage.pem"), "no certificate");
    assertThatThrownBy(() -> builder().tls(garbage, serverFiles.key()).start())
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("holds no PEM certificate");
    assertThatThrownBy(() -> builder().tls(serverFiles.certificate(), garbage).start())
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("holds no PEM key");
    assertThatThrownBy(() -> NbdServer.serve(memory).clientCa(serverFiles.certificate()).start())
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(
            () -> NbdServer.serve(List.of(NbdExport.of("x", memory).withTlsOnly(true))).start())
        .isInstanceOf(IllegalArgumentException.class);
  }
}
