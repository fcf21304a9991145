package dev.r3map.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.MemoryBackend;
import dev.r3map.internal.TlsFiles;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.Pki;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whom the client trusts, and as whom it comes. */
@Timeout(60)
class ClientTlsTest {
  @TempDir static Path dir;
  private static Pki pki;
  private static Pki.Issued serverFiles;
  private static Pki.Issued clientFiles;

  private MemoryBackend memory;
  private NbdServer server;

  @BeforeAll
  static void issue() throws Exception {
    pki = new Pki(dir, "client-tls-ca");
    serverFiles = pki.issue("server", "san=dns:localhost");
    clientFiles = pki.issue("client");
  }

  @BeforeEach
  void serve() throws IOException {
    memory = MemoryBackend.of(1 << 20);
    server = start(serverFiles, false);
  }

  private NbdServer start(Pki.Issued files, boolean mutual) throws IOException {
    NbdServer.Builder builder = NbdServer.serve(memory).tls(files.certificate(), files.key());
    try {
      return (mutual ? builder.clientCa(pki.authority()) : builder).start();
    } catch (java.security.GeneralSecurityException e) {
      throw new IOException(e);
    }
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    memory.close();
  }

  private URI uri(String host, String query) {
    return URI.create("nbds://%s:%d/%s".formatted(host, server.port(), query));
  }

  private static BackendOptions options(
      Optional<Path> ca, Optional<Path> certificate, Optional<Path> key) {
    return BackendOptions.DEFAULT
        .withTimeout(Duration.ofSeconds(5))
        .withTls(new BackendOptions.Tls(ca, certificate, key));
  }

  private static BackendOptions trusting() throws Exception {
    return options(Optional.of(pki.authority()), Optional.empty(), Optional.empty());
  }

  private static long open(URI uri, BackendOptions options) throws IOException {
    try (NbdBackend backend = NbdBackend.at(uri).options(options).open()) {
      return backend.size();
    }
  }

  @Test
  void aServerWhoseCertificateIsSignedIsTrusted() throws Exception {
    assertThat(open(uri("localhost", ""), trusting())).isEqualTo(1 << 20);
  }

  @Test
  void theNameMustBeTheOneThatWasAskedFor() throws Exception {
    assertThatThrownBy(() -> open(uri("127.0.0.1", ""), trusting()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("127.0.0.1");
    assertThat(open(uri("127.0.0.1", "?tls-hostname=localhost"), trusting())).isEqualTo(1 << 20);
  }

  @Test
  void aServerThatNobodyVouchesForIsRefusedUnlessItIsNotToBeVerified() throws Exception {
    Pki other = new Pki(dir, "client-tls-other");
    BackendOptions wrong =
        options(Optional.of(other.authority()), Optional.empty(), Optional.empty());
    assertThatThrownBy(() -> open(uri("localhost", ""), wrong)).isInstanceOf(IOException.class);
    assertThat(open(uri("localhost", "?tls-verify-peer=false"), wrong)).isEqualTo(1 << 20);
  }

  @Test
  void ownCertificatesAreShownFromOptionsFromAFolderAndFromTheCaller() throws Exception {
    server.close();
    server = start(serverFiles, true);
    assertThatThrownBy(() -> open(uri("localhost", ""), trusting()))
        .isInstanceOf(IOException.class);
    Optional<Path> ca = Optional.of(pki.authority());
    Optional<Path> certificate = Optional.of(clientFiles.certificate());
    Optional<Path> key = Optional.of(clientFiles.key());
    assertThat(open(uri("localhost", ""), options(ca, certificate, key))).isEqualTo(1 << 20);
    Path folder = Files.createDirectory(dir.resolve("folder"));
    Files.copy(pki.authority(), folder.resolve("ca-cert.pem"));
    Files.copy(clientFiles.certificate(), folder.resolve("client-cert.pem"));
    Files.copy(clientFiles.key(), folder.resolve("client-key.pem"));
    URI inFolder = uri("localhost", "?tls-certificates=" + folder);
    assertThat(open(inFolder, BackendOptions.DEFAULT)).isEqualTo(1 << 20);
    try (NbdBackend backend =
        NbdBackend.at(uri("localhost", "")).tls(TlsFiles.context(ca, certificate, key)).open()) {
      assertThat(backend.size()).isEqualTo(1 << 20);
    }
  }

  @Test
  void aServerWithoutTlsIsNotTalkedToInPlaintext() throws Exception {
    try (NbdServer plain = NbdServer.serve(List.of(NbdExport.of("", memory))).start()) {
      URI uri = URI.create("nbds://localhost:" + plain.port());
      assertThatThrownBy(() -> open(uri, trusting()))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("TLS");
    }
  }
}
