package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.INFO_NAME;
import static dev.r3map.nbd.protocol.Handshake.OPT_INFO;
import static dev.r3map.nbd.protocol.Handshake.OPT_LIST;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_PLATFORM;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_UNKNOWN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.MemoryBackend;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Exports that come and go. */
@Timeout(60)
class NbdExportsTest {
  private MemoryBackend small;
  private MemoryBackend large;
  private Changing exports;
  private NbdServer server;

  /** Has two exports whatever it lists. */
  private final class Changing implements NbdExports {
    private volatile List<String> names = List.of();
    private volatile boolean broken;

    @Override
    public List<NbdExport> list() throws IOException {
      if (broken) {
        throw new IOException("nobody knows");
      }
      return names.stream().map(name -> NbdExport.of(name, small)).toList();
    }

    @Override
    public Optional<NbdExport> find(String name) throws IOException {
      return switch (name) {
        case "", "small" -> Optional.of(NbdExport.of("small", small));
        case "large" -> Optional.of(NbdExport.of(name, large));
        case "lost" -> throw new IOException("the disk is broken");
        default -> Optional.empty();
      };
    }
  }

  @BeforeEach
  void serve() throws IOException {
    small = MemoryBackend.of(1000);
    large = MemoryBackend.of(2000);
    exports = new Changing();
    server = NbdServer.serve(exports).start();
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    small.close();
    large.close();
  }

  @Test
  void theListIsThatOfNow() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_LIST);
      assertThat(client.replies()).hasSize(1);
      exports.names = List.of("large", "small");
      client.ask(OPT_LIST);
      assertThat(client.replies().get(0).text().substring(4)).isEqualTo("large");
    }
  }

  @Test
  void aListThatCannotBeHadIsAnErrorAndTheHandshakeGoesOn() throws IOException {
    exports.broken = true;
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_LIST);
      RawClient.Reply reply = client.reply();
      assertThat(reply.type()).isEqualTo(REP_ERR_PLATFORM);
      assertThat(reply.text()).isEqualTo("nobody knows");
      client.go("small");
    }
  }

  @Test
  void whatIsNotListedMayBeThere() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_INFO, RawClient.info("large"));
      assertThat(client.replies().getFirst().buffer().getLong(2)).isEqualTo(2000);
      client.ask(OPT_INFO, RawClient.info("", INFO_NAME));
      assertThat(client.replies().get(1).text().substring(2)).isEqualTo("small");
    }
  }

  @Test
  void whatIsNotThereOrCannotBeHadIsUnknownAndSaysWhy() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_INFO, RawClient.info("other"));
      assertThat(client.reply().type()).isEqualTo(REP_ERR_UNKNOWN);
      client.ask(OPT_INFO, RawClient.info("lost"));
      RawClient.Reply reply = client.reply();
      assertThat(reply.type()).isEqualTo(REP_ERR_UNKNOWN);
      assertThat(reply.text()).isEqualTo("the disk is broken");
    }
  }

  @Test
  void beyondThisHostTheyAreNotServedInPlaintext() {
    NbdServer.Builder everywhere = NbdServer.serve(exports).listen("0.0.0.0", 0);
    assertThatThrownBy(everywhere::start)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("--insecure");
  }
}
