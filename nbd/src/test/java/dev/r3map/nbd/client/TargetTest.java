package dev.r3map.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.PermanentIOException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The examples of the specification's uri.md, and what it forbids. */
class TargetTest {
  private static Target target(String uri) throws IOException {
    return Target.of(URI.create(uri), false);
  }

  @ParameterizedTest
  @CsvSource({
    "nbd://127.0.0.1, 127.0.0.1, 10809, ''",
    "nbd://127.0.0.1/, 127.0.0.1, 10809, ''",
    "nbd://127.0.0.1:1234/disk, 127.0.0.1, 1234, disk",
    "nbd://127.0.0.1//disk, 127.0.0.1, 10809, /disk",
    "nbd://[::1]:1/a%20b/c+d%2F%C3%A4, ::1, 1, a b/c+d/ä",
    "nbd://[::1], ::1, 10809, ''",
    "NBD://127.0.0.1/Disk, 127.0.0.1, 10809, Disk",
  })
  void tcp(String uri, String host, int port, String export) throws Exception {
    Target target = target(uri);

    assertThat(target.address()).isEqualTo(new InetSocketAddress(host, port));
    assertThat(target.export()).isEqualTo(export);
    assertThat(target.security()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "nbd+unix:///?socket=/run/a.sock, /run/a.sock, ''",
    "nbd+unix:///disk?socket=/run/a%20b%3Fc, /run/a b?c, disk",
    "nbd+unix:////disk?socket=rel, rel, /disk",
  })
  void unix(String uri, String socket, String export) throws Exception {
    Target target = target(uri);

    assertThat(target.address()).isEqualTo(UnixDomainSocketAddress.of(socket));
    assertThat(target.export()).isEqualTo(export);
  }

  @Test
  void tls() throws Exception {
    Target.Security all =
        target(
                "nbds://127.0.0.1/x?tls-type=x509&tls-hostname=disk.example&tls-verify-peer=0"
                    + "&tls-certificates=/etc/pki")
            .security()
            .orElseThrow();
    assertThat(all.hostname()).isEqualTo("disk.example");
    assertThat(all.verifiesPeer()).isFalse();
    assertThat(all.certificates()).contains(Path.of("/etc/pki"));

    Target.Security none = target("nbds://127.0.0.1").security().orElseThrow();
    assertThat(none.hostname()).isEqualTo("127.0.0.1");
    assertThat(none.verifiesPeer()).isTrue();
    assertThat(none.certificates()).isEmpty();
    assertThat(target("nbds+unix:///?socket=/s").security()).isPresent();
  }

  @ParameterizedTest
  @CsvSource({
    "nbd://127.0.0.1/?soket=/x, unknown parameter 'soket'",
    "nbd://127.0.0.1/?socket=/x, goes with nbd+unix",
    "nbd://127.0.0.1/?tls-hostname=x, goes with nbds",
    "nbds://127.0.0.1/?tls-psk-file=/x, use tls-certificates",
    "nbds://alice@127.0.0.1/, use certificates",
    "nbds://127.0.0.1/?tls-type=psk, there is x509",
    "nbds://127.0.0.1/?tls-verify-peer=perhaps, 1 or 0",
    "nbds://127.0.0.1/?tls-hostname=a&tls-hostname=b, twice",
    "nbd+unix:///disk, socket=/path",
    "nbd+unix://host/disk?socket=/x, socket=/path",
    "nbd+unix:///?socket=%00name, use one with a path",
    "nbd:127.0.0.1:10809, expected nbd://host",
    "nbd:///disk, expected nbd://host",
    "nbd://127.0.0.1:0/, a port is",
    "nbd://127.0.0.1:99999/, a port is",
    "nbd://127.0.0.1/a#b, %23",
    "nbd://127.0.0.1/%ff, not UTF-8",
  })
  void whatCannotBeMeantIsRefusedWithARemedy(String uri, String remedy) {
    assertThatThrownBy(() -> target(uri))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(remedy)
        .hasMessageNotContaining("alice");
  }

  @Test
  void plaintextLeavesThisHostOnlyIfThatIsMeant() throws Exception {
    assertThatThrownBy(() -> target("nbd://192.0.2.1/"))
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("nbds://192.0.2.1:10809, or --insecure");
    assertThat(Target.of(URI.create("nbd://192.0.2.1/"), true).export()).isEmpty();
    assertThat(target("nbds://192.0.2.1/").security()).isPresent();
  }
}
