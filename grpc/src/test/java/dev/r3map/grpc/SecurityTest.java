package dev.r3map.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.Pki;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class SecurityTest {
  private static final String TOKEN = "s3cret-token-of-the-test";

  @TempDir private static Path dir;
  private static Pki pki;
  private static Path authority;
  private static Pki.Issued serverFiles;
  private static Pki.Issued clientFiles;
  private static MemoryBackend memory;

  @BeforeAll
  static void issue() throws Exception {
    pki = new Pki(dir, "r3map-test-ca");
    authority = pki.authority();
    serverFiles = pki.issue("server", "san=dns:localhost,ip:127.0.0.1");
    clientFiles = pki.issue("client");
    memory = MemoryBackend.of(100_000);
  }

  @AfterAll
  static void closeMemory() throws IOException {
    memory.close();
  }

  private static BackendOptions trusting(Path ca) {
    return BackendOptions.DEFAULT
        .withTimeout(Duration.ofSeconds(5))
        .withTls(new BackendOptions.Tls(Optional.of(ca), Optional.empty(), Optional.empty()));
  }

  private static BackendOptions withCertificate() {
    return BackendOptions.DEFAULT.withTls(
        new BackendOptions.Tls(
            Optional.of(authority),
            Optional.of(clientFiles.certificate()),
            Optional.of(clientFiles.key())));
  }

  private static GrpcServer.Builder tls() {
    return GrpcServer.serve(memory).tls(serverFiles.certificate(), serverFiles.key());
  }

  private static PermanentIOException refused(URI uri, BackendOptions options) {
    PermanentIOException thrown =
        catchThrowableOfType(PermanentIOException.class, () -> Backends.open(uri, options).close());
    assertThat(thrown).isNotNull();
    StringWriter trace = new StringWriter();
    thrown.printStackTrace(new PrintWriter(trace));
    assertThat(trace.toString()).doesNotContain(TOKEN);
    return thrown;
  }

  @Test
  void tlsCarriesBytesAndIsRequiredByItsServer() throws Exception {
    byte[] bytes = Bytes.random(70_000, 1);
    try (GrpcServer server = tls().start();
        Backend backend = Backends.open(server.uri(), trusting(authority))) {
      Bytes.write(backend, 10, bytes);

      assertThat(Bytes.read(backend, 10, bytes.length)).isEqualTo(bytes);
      assertThat(server.uri()).hasScheme("grpcs");
      assertThatIOException()
          .isThrownBy(() -> Backends.open(URI.create("grpc://localhost:" + server.port())))
          .withMessageContaining("without TLS?");
    }
  }

  @Test
  void aServerThatNobodyTrustedSignedIsRefused() throws Exception {
    Pki other = new Pki(dir, "another-ca");
    try (GrpcServer server = tls().start()) {
      assertThat(refused(server.uri(), trusting(other.authority())))
          .hasMessageContaining("no trust");
      assertThat(refused(server.uri(), BackendOptions.DEFAULT)).hasMessageContaining("no trust");
    }
  }

  @Test
  void aCertificateForAnotherNameIsRefused() throws Exception {
    Pki.Issued files = pki.issue("elsewhere", "san=dns:elsewhere.example");
    try (GrpcServer server =
        GrpcServer.serve(memory).tls(files.certificate(), files.key()).start()) {
      assertThat(refused(server.uri(), trusting(authority))).hasMessageContaining("no trust");
    }
  }

  @Test
  void mutualTlsLetsInOnlyWhoHasACertificate() throws Exception {
    try (GrpcServer server = tls().clientCa(authority).start();
        Backend backend = Backends.open(server.uri(), withCertificate())) {
      assertThat(Bytes.read(backend, 0, 1)).hasSize(1);
      assertThatIOException().isThrownBy(() -> Backends.open(server.uri(), trusting(authority)));
    }
  }

  @Test
  void tokensOpenAndWrongOnesAreRefusedWithoutBeingRepeated() throws Exception {
    try (GrpcServer server = tls().token("another").token(TOKEN).start();
        Backend backend = Backends.open(server.uri(), trusting(authority).withToken(TOKEN))) {
      assertThat(Bytes.read(backend, 0, 1)).hasSize(1);
      assertThat(refused(server.uri(), trusting(authority))).hasMessageContaining("no token given");
    }
    try (GrpcServer server = tls().token("the-right-one").start()) {
      assertThat(refused(server.uri(), trusting(authority).withToken(TOKEN)))
          .hasMessageContaining("does not accept our credentials");
    }
  }

  @Test
  void aTokenGoesOverPlaintextToThisHostOnly() throws Exception {
    try (GrpcServer server = GrpcServer.serve(memory).token(TOKEN).start();
        Backend backend = Backends.open(server.uri(), BackendOptions.DEFAULT.withToken(TOKEN))) {
      assertThat(Bytes.read(backend, 0, 1)).hasSize(1);
    }
    // A documentation address: refused before anything is sent.
    assertThat(refused(URI.create("grpc://192.0.2.1"), BackendOptions.DEFAULT.withToken(TOKEN)))
        .hasMessageContaining("--insecure")
        .hasMessageContaining("grpcs://192.0.2.1:1337");
  }

  @Test
  void aTokenThatCannotBeSentIsRefusedWithoutBeingRepeated() {
    for (String bad : new String[] {"", TOKEN + "\n", TOKEN + " x", TOKEN + "\u00e9"}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() ->
              Backends.open(URI.create("grpc://localhost"), BackendOptions.DEFAULT.withToken(bad)))
          .withMessageNotContaining(TOKEN);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> GrpcServer.serve(memory).token(bad))
          .withMessageNotContaining(TOKEN);
    }
  }

  @Test
  void plaintextBeyondThisHostMustBeAskedFor() {
    GrpcServer.Builder everywhere = GrpcServer.serve(memory).listen("0.0.0.0", 0);
    assertThatIllegalArgumentException()
        .isThrownBy(everywhere::start)
        .withMessageContaining("--insecure");
  }

  @Test
  void insecureListensEverywhere() throws Exception {
    try (GrpcServer server = GrpcServer.serve(memory).listen("0.0.0.0", 0).insecure(true).start();
        Backend backend = Backends.open(server.uri())) {
      assertThat(Bytes.read(backend, 0, 1)).hasSize(1);
    }
  }

  @Test
  void malformedUrisAreRefusedWithoutRepeatingTheirSecrets() {
    for (String bad :
        new String[] {
          "grpc://user:" + TOKEN + "@localhost",
          "grpcs:///",
          "grpc:localhost",
          "grpc://localhost/x",
          "grpc://localhost?token=" + TOKEN,
          "grpc+unix://host/path",
          "grpc+unix:relative"
        }) {
      assertThatIllegalArgumentException()
          .as(bad)
          .isThrownBy(() -> Backends.open(URI.create(bad)))
          .withMessageNotContaining(TOKEN);
    }
  }

  @Test
  void missingFilesAreNamed() throws Exception {
    Path missing = dir.resolve("missing.pem");
    assertThatIOException()
        .isThrownBy(() -> GrpcServer.serve(memory).tls(missing, missing).start())
        .withMessageContaining("missing.pem");
    assertThatIOException()
        .isThrownBy(() -> Backends.open(URI.create("grpcs://localhost"), trusting(missing)))
        .withMessageContaining("missing.pem");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> GrpcServer.serve(memory).clientCa(authority).start());
  }
}
