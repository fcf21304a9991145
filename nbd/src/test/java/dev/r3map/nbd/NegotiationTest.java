package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.*;
import static dev.r3map.nbd.protocol.Transmission.FLAG_BLOCK_STATUS_PAYLOAD;
import static dev.r3map.nbd.protocol.Transmission.FLAG_CAN_MULTI_CONN;
import static dev.r3map.nbd.protocol.Transmission.FLAG_READ_ONLY;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_DF;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.MemoryBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class NegotiationTest {
  private static final long SIZE = 1 << 20;

  private MemoryBackend memory;
  private NbdServer server;

  @BeforeEach
  void serve() throws IOException {
    memory = MemoryBackend.of(SIZE);
    server =
        NbdServer.serve(
                List.of(
                    NbdExport.of("disk", memory).withDescription("the first"),
                    NbdExport.of("still", memory).withReadOnly(true)))
            .start();
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    memory.close();
  }

  @Test
  void aClientThatIsNotFixedGetsAnExportByName() throws IOException {
    try (RawClient client = RawClient.greeted(server, 0)) {
      client.ask(OPT_EXPORT_NAME, "disk".getBytes(StandardCharsets.UTF_8));
      assertThat(client.in.readLong()).isEqualTo(SIZE);
      client.in.readUnsignedShort();
      assertThat(client.in.readNBytes(ZEROES)).containsOnly(0).hasSize(ZEROES);
    }
  }

  @Test
  void aClientThatIsNotFixedMayAskForNothingElse() throws IOException {
    try (RawClient client = RawClient.greeted(server, 0)) {
      client.ask(OPT_LIST);
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void anUnknownExportByNameEndsTheConnection() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_EXPORT_NAME, "nothing".getBytes(StandardCharsets.UTF_8));
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void flagsThatWereNotOfferedEndTheConnection() throws IOException {
    try (RawClient client = RawClient.greeted(server, 4)) {
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void unknownOptionsAreSkippedWhole() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(4, new byte[100]);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_UNSUP);
      client.ask(12345, new byte[MAX_STRING]);
      RawClient.Reply reply = client.reply();
      assertThat(reply.type()).isEqualTo(REP_ERR_UNSUP);
      assertThat(reply.text()).contains("12345");
      client.go("disk");
    }
  }

  @Test
  void anOptionThatIsTooLongIsSkippedOrEndsTheConnection() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_INFO, new byte[100_000]);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_TOO_BIG);
      client.out.writeLong(OPTION_MAGIC);
      client.out.writeInt(OPT_INFO);
      client.out.writeInt(-1);
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void listsAllExportsWithWhatTheyAre() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_LIST, (byte) 1);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_LIST);
      List<RawClient.Reply> replies = client.replies();
      assertThat(replies)
          .extracting(RawClient.Reply::type)
          .containsExactly(REP_SERVER, REP_SERVER, REP_ACK);
      assertThat(replies.get(0).text().substring(4)).isEqualTo("diskthe first");
      assertThat(replies.get(0).buffer().getInt()).isEqualTo(4);
      assertThat(replies.get(1).text().substring(4)).isEqualTo("still");
    }
  }

  @Test
  void abortIsAcknowledged() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_ABORT, (byte) 1);
      assertThat(client.reply().type()).isEqualTo(REP_ACK);
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void infoAndGoSayTheSame() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      byte[] all = RawClient.info("", INFO_NAME, INFO_DESCRIPTION, INFO_BLOCK_SIZE, 99);
      client.ask(OPT_INFO, all);
      List<RawClient.Reply> first = client.replies();
      client.ask(OPT_GO, all);
      List<RawClient.Reply> second = client.replies();
      assertThat(second).usingRecursiveComparison().isEqualTo(first);

      assertThat(first).hasSize(5);
      ByteBuffer export = first.get(0).buffer();
      assertThat(export.getShort()).isEqualTo((short) INFO_EXPORT);
      assertThat(export.getLong()).isEqualTo(SIZE);
      assertThat(export.getShort() & (FLAG_READ_ONLY | FLAG_SEND_DF | FLAG_CAN_MULTI_CONN))
          .isEqualTo(FLAG_CAN_MULTI_CONN);
      assertThat(first.get(1).text().substring(2)).isEqualTo("disk");
      assertThat(first.get(2).text().substring(2)).isEqualTo("the first");
      ByteBuffer sizes = first.get(3).buffer();
      assertThat(sizes.getShort()).isEqualTo((short) INFO_BLOCK_SIZE);
      assertThat(sizes.getInt()).isEqualTo(1);
      assertThat(sizes.getInt()).isEqualTo(4096);
      assertThat(sizes.getInt()).isEqualTo(32 << 20);
    }
  }

  @Test
  void flagsFollowWhatIsNegotiated() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_EXTENDED_HEADERS);
      client.ack();
      client.ask(OPT_INFO, RawClient.info("still"));
      int flags = client.replies().getFirst().buffer().getShort(10);
      assertThat(flags & (FLAG_READ_ONLY | FLAG_SEND_DF | FLAG_BLOCK_STATUS_PAYLOAD))
          .isEqualTo(FLAG_READ_ONLY | FLAG_SEND_DF | FLAG_BLOCK_STATUS_PAYLOAD);
      client.ask(OPT_STRUCTURED_REPLY);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_EXT_HEADER_REQD);
      client.ask(OPT_EXTENDED_HEADERS);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_EXPORT_NAME, "disk".getBytes(StandardCharsets.UTF_8));
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void malformedInfoIsRefusedAndTheHandshakeGoesOn() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_INFO);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_INFO, ByteBuffer.allocate(6).putInt(-1).array());
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_INFO, ByteBuffer.allocate(7).array());
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_INFO, RawClient.info("a\0b"));
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_INFO, RawClient.info("x".repeat(MAX_STRING + 1)));
      assertThat(client.reply().type()).isEqualTo(REP_ERR_TOO_BIG);
      client.ask(OPT_INFO, RawClient.info("x".repeat(MAX_STRING)));
      assertThat(client.reply().type()).isEqualTo(REP_ERR_UNKNOWN);
      client.ask(
          OPT_INFO, ByteBuffer.allocate(7).putInt(1).put((byte) 0xff).putShort((short) 0).array());
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_STARTTLS);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_POLICY);
      client.go("disk");
    }
  }

  @Test
  void contextsNeedStructuredRepliesFirst() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_SET_META_CONTEXT, RawClient.contexts("disk", "base:allocation"));
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_STRUCTURED_REPLY);
      client.ack();
      client.ask(OPT_STRUCTURED_REPLY);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_INVALID);
      client.ask(OPT_SET_META_CONTEXT, RawClient.contexts("disk", "other:x", "base:allocation"));
      List<RawClient.Reply> replies = client.replies();
      assertThat(replies).hasSize(2);
      assertThat(replies.getFirst().text().substring(4)).isEqualTo("base:allocation");
    }
  }

  @Test
  void listsContexts() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_STRUCTURED_REPLY);
      client.ack();
      for (String[] queries : new String[][] {{}, {"base:"}, {"base:allocation"}}) {
        client.ask(OPT_LIST_META_CONTEXT, RawClient.contexts("", queries));
        assertThat(client.replies()).hasSize(2);
      }
      client.ask(OPT_LIST_META_CONTEXT, RawClient.contexts("", "base:other"));
      assertThat(client.replies()).hasSize(1);
      client.ask(OPT_SET_META_CONTEXT, RawClient.contexts("", "base:"));
      assertThat(client.replies()).hasSize(1);
      client.ask(OPT_LIST_META_CONTEXT, RawClient.contexts("nothing"));
      assertThat(client.reply().type()).isEqualTo(REP_ERR_UNKNOWN);
    }
  }

  @Test
  void whoDoesNotSayWhatItWantsIsSentAway() throws IOException {
    server.close();
    server = NbdServer.serve(memory).handshakeTimeout(Duration.ofMillis(500)).start();
    try (RawClient client = RawClient.silent(server);
        RawClient other = RawClient.greeted(server)) {
      assertThat(client.in.readNBytes(18)).hasSize(18);
      assertThat(client.isEnded()).isTrue();
      assertThat(other.isEnded()).isTrue();
    }
  }

  @Test
  void whatIsNotListedHasToBeKnown() throws IOException {
    server.close();
    server = NbdServer.serve(List.of(NbdExport.of("disk", memory))).listing(false).start();
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_LIST);
      assertThat(client.reply().type()).isEqualTo(REP_ERR_POLICY);
      client.go("disk");
    }
  }
}
