package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.*;
import static dev.r3map.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.DirectMount;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.testkit.BackendCall.Kind;
import dev.r3map.testkit.CountingBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A managed region behind NBD: a caching proxy. */
@Timeout(60)
class RegionExportTest {
  private static final int CHUNK = 64 << 10;
  private static final int SIZE = 16 * CHUNK;

  private final byte[] bytes = new byte[SIZE];
  private MemoryBackend memory;
  private CountingBackend remote;
  private Region region;
  private NbdServer server;

  @BeforeEach
  void serve() throws IOException {
    new SplittableRandom(1).nextBytes(bytes);
    memory = MemoryBackend.of(SIZE);
    memory.write(ByteBuffer.wrap(bytes), 0);
    remote = CountingBackend.of(memory);
    region =
        ManagedMount.on(remote)
            .chunkSize(CHUNK)
            .pullWorkers(0)
            .pushInterval(Duration.ofHours(1))
            .open();
    server = NbdServer.serve(List.of(NbdExport.of("region", region))).start();
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    region.close();
    memory.close();
  }

  private static RawClient client(NbdServer server, int option, String... queries)
      throws IOException {
    RawClient client = RawClient.greeted(server);
    client.ask(option);
    client.ack();
    client.ask(OPT_SET_META_CONTEXT, RawClient.contexts("region", queries));
    assertThat(client.replies()).hasSize(queries.length + 1);
    client.go("region");
    return client;
  }

  private byte[] read(RawClient client, long offset, int length) throws IOException {
    client.request(CMD_READ, 0, 1, offset, length);
    RawClient.Chunk chunk = client.chunk();
    assertThat(chunk.error()).isZero();
    ByteBuffer data = chunk.buffer();
    assertThat(data.getLong()).isEqualTo(offset);
    byte[] read = new byte[data.remaining()];
    data.get(read);
    return read;
  }

  /** The states of a range, run after run, by the number of the context. */
  private static Map<Integer, List<String>> status(RawClient client, int offset, int length)
      throws IOException {
    client.request(CMD_BLOCK_STATUS, 0, 9, offset, length);
    Map<Integer, List<String>> all = new TreeMap<>();
    RawClient.Chunk chunk;
    do {
      chunk = client.chunk();
      assertThat(chunk.type()).isEqualTo(REPLY_BLOCK_STATUS);
      ByteBuffer data = chunk.buffer();
      List<String> runs = new ArrayList<>();
      all.put(data.getInt(), runs);
      while (data.hasRemaining()) {
        runs.add(data.getInt() + ":" + data.getInt());
      }
    } while (chunk.flags() == 0);
    return all;
  }

  @Test
  void whatIsReadIsFetchedAndKept() throws IOException {
    try (RawClient client = client(server, OPT_STRUCTURED_REPLY, "qemu:allocation-depth")) {
      assertThat(status(client, 0, SIZE)).containsEntry(3, List.of(SIZE + ":2"));
      assertThat(read(client, CHUNK + 5, 100))
          .isEqualTo(java.util.Arrays.copyOfRange(bytes, CHUNK + 5, CHUNK + 105));
      assertThat(status(client, 0, SIZE))
          .containsEntry(3, List.of(CHUNK + ":2", CHUNK + ":1", (SIZE - 2 * CHUNK) + ":2"));
      long before = remote.count(Kind.READ);
      read(client, CHUNK, CHUNK);
      assertThat(remote.count(Kind.READ)).isEqualTo(before);
    }
  }

  @Test
  void cacheFetchesAhead() throws IOException {
    try (RawClient client = client(server, OPT_STRUCTURED_REPLY, "qemu:allocation-depth")) {
      client.request(CMD_CACHE, 0, 4, 2 * CHUNK, 3 * CHUNK);
      assertThat(client.chunk().error()).isZero();
      assertThat(status(client, 2 * CHUNK, 3 * CHUNK)).containsEntry(3, List.of(3 * CHUNK + ":1"));
      long before = remote.count(Kind.READ);
      read(client, 2 * CHUNK, CHUNK);
      assertThat(remote.count(Kind.READ)).isEqualTo(before);
    }
  }

  @Test
  void whatIsWrittenIsDirtyUntilItIsFlushed() throws IOException {
    try (RawClient client =
        client(server, OPT_STRUCTURED_REPLY, "base:allocation", "qemu:dirty-bitmap:dirty")) {
      client.request(CMD_WRITE, 0, 2, CHUNK, 4096);
      client.out.write(new byte[4096]);
      assertThat(client.chunk().error()).isZero();
      ByteBuffer seen = ByteBuffer.allocate(4096);
      region.read(seen, CHUNK);
      assertThat(seen.array()).containsOnly(0);
      assertThat(status(client, CHUNK, CHUNK))
          .containsEntry(1, List.of(CHUNK + ":0"))
          .containsEntry(2, List.of("4096:1", (CHUNK - 4096) + ":0"));
      client.request(CMD_FLUSH, 0, 3, 0, 0);
      assertThat(client.chunk().error()).isZero();
      assertThat(status(client, CHUNK, CHUNK)).containsEntry(2, List.of(CHUNK + ":0"));
      ByteBuffer stored = ByteBuffer.allocate(4096);
      memory.read(stored, CHUNK);
      assertThat(stored.array()).containsOnly(0);
    }
  }

  @Test
  void contextsAreListedByTheirBeginning() throws IOException {
    try (RawClient client = RawClient.greeted(server)) {
      client.ask(OPT_STRUCTURED_REPLY);
      client.ack();
      Map<String, Integer> expected =
          Map.of(
              "qemu:", 2, "base:", 1, "qemu:dirty-bitmap:", 1, "qemu:dirty-bitmap:x", 0, "x:", 0);
      for (Map.Entry<String, Integer> query : expected.entrySet()) {
        client.ask(OPT_LIST_META_CONTEXT, RawClient.contexts("", query.getKey()));
        assertThat(client.replies()).hasSize(query.getValue() + 1);
      }
      client.ask(OPT_LIST_META_CONTEXT, RawClient.contexts(""));
      assertThat(client.replies()).hasSize(4);
      // A beginning chooses nothing.
      client.ask(OPT_SET_META_CONTEXT, RawClient.contexts("", "qemu:"));
      assertThat(client.replies()).hasSize(1);
    }
  }

  @Test
  void aFilterChoosesAmongContexts() throws IOException {
    try (RawClient client =
        client(server, OPT_EXTENDED_HEADERS, "base:allocation", "qemu:allocation-depth")) {
      client.extended(CMD_BLOCK_STATUS, CMD_FLAG_PAYLOAD_LEN, 5, 0, 12);
      client.out.writeLong(SIZE);
      client.out.writeInt(3);
      RawClient.Chunk chunk = client.chunk();
      assertThat(chunk.flags()).isEqualTo(REPLY_FLAG_DONE);
      assertThat(chunk.buffer().getInt()).isEqualTo(3);
      // Not negotiated.
      client.extended(CMD_BLOCK_STATUS, CMD_FLAG_PAYLOAD_LEN, 6, 0, 12);
      client.out.writeLong(SIZE);
      client.out.writeInt(2);
      assertThat(client.chunk().error()).isEqualTo(EINVAL);
    }
  }

  @Test
  void aDirectRegionCanBeServedToo() throws IOException {
    try (Region direct = DirectMount.open(remote);
        NbdServer other = NbdServer.serve(List.of(NbdExport.of("region", direct))).start();
        RawClient client = client(other, OPT_STRUCTURED_REPLY, "qemu:allocation-depth")) {
      assertThat(read(client, 7, 100)).isEqualTo(java.util.Arrays.copyOfRange(bytes, 7, 107));
      assertThat(status(client, 0, SIZE)).containsEntry(3, List.of(SIZE + ":2"));
    }
  }

  @Test
  void aRegionThatIsClosedFailsRequestsAndTheConnectionLives() throws IOException {
    try (RawClient client = client(server, OPT_STRUCTURED_REPLY, "base:allocation")) {
      region.close();
      for (int i = 0; i < 2; i++) {
        client.request(CMD_READ, 0, i, 0, 512);
        assertThat(client.chunk().error()).isEqualTo(EIO);
      }
    }
  }
}
