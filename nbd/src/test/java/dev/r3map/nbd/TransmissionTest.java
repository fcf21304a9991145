package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.OPT_EXTENDED_HEADERS;
import static dev.r3map.nbd.protocol.Handshake.OPT_SET_META_CONTEXT;
import static dev.r3map.nbd.protocol.Handshake.OPT_STRUCTURED_REPLY;
import static dev.r3map.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.BackendCall.Kind;
import dev.r3map.testkit.CountingBackend;
import dev.r3map.testkit.FaultyBackend;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
// Faults are ended before their time.
@SuppressWarnings("try")
class TransmissionTest {
  private static final int SIZE = 80 << 20;
  private static final int MAX = 32 << 20;

  private MemoryBackend memory;
  private NbdServer server;

  @BeforeEach
  void serve() throws IOException {
    memory = MemoryBackend.of(SIZE);
    server = NbdServer.serve(memory).start();
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    memory.close();
  }

  private void serve(Backend backend) throws IOException {
    server.close();
    server = NbdServer.serve(backend).start();
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new SplittableRandom(length).nextBytes(bytes);
    return bytes;
  }

  private void fill(long offset, byte[] bytes) throws IOException {
    memory.write(ByteBuffer.wrap(bytes), offset);
  }

  private byte[] stored(long offset, int length) throws IOException {
    byte[] bytes = new byte[length];
    memory.read(ByteBuffer.wrap(bytes), offset);
    return bytes;
  }

  @Test
  void simpleRepliesCarryDataOfAnySize() throws IOException {
    try (RawClient client = RawClient.ready(server)) {
      for (int length : new int[] {1, 4096, 65537, 3 << 20, MAX}) {
        byte[] bytes = random(length);
        client.request(CMD_WRITE, 0, 7, 5, length);
        client.out.write(bytes);
        assertThat(client.chunk())
            .usingRecursiveComparison()
            .isEqualTo(new RawClient.Chunk(1, 0, 0, 7, new byte[0]));
        client.request(CMD_READ, 0, 8, 5, length);
        assertThat(client.chunk().error()).isZero();
        assertThat(client.in.readNBytes(length)).isEqualTo(bytes);
      }
    }
  }

  @Test
  void structuredRepliesLeaveZerosOut() throws IOException {
    byte[] bytes = random(100_000);
    fill(1 << 20, bytes);
    for (Backend backend : new Backend[] {memory, new ForwardingBackend(memory) {}}) {
      serve(backend);
      try (RawClient client = RawClient.ready(server, OPT_STRUCTURED_REPLY)) {
        client.request(CMD_READ, 0, 1, 0, 8192);
        RawClient.Chunk hole = client.chunk();
        assertThat(hole.type()).isEqualTo(REPLY_OFFSET_HOLE);
        assertThat(hole.flags()).isEqualTo(REPLY_FLAG_DONE);
        assertThat(hole.buffer().getInt(8)).isEqualTo(8192);

        // Data between zeros: whatever the chunks are, they say the same.
        int length = 3 << 20;
        client.request(CMD_READ, 0, 2, 0, length);
        assertThat(client.assemble(0, length)).isEqualTo(stored(0, length));
        client.request(CMD_READ, CMD_FLAG_DF, 3, 0, length);
        RawClient.Chunk whole = client.chunk();
        assertThat(whole.flags()).isEqualTo(REPLY_FLAG_DONE);
        assertThat(whole.data()).hasSize(8 + length);
      }
    }
  }

  @Test
  void manyRunsAreReadAsTheyAre() throws IOException {
    for (int i = 0; i < 200; i++) {
      fill(i * 8192L, random(4096));
    }
    serve(new ForwardingBackend(memory) {});
    try (RawClient client = RawClient.ready(server, OPT_STRUCTURED_REPLY)) {
      int length = 200 * 8192;
      client.request(CMD_READ, 0, 1, 0, length);
      assertThat(client.assemble(0, length)).isEqualTo(stored(0, length));
    }
  }

  @Test
  void extendedHeadersEchoTheOffset() throws IOException {
    try (RawClient client = RawClient.ready(server, OPT_EXTENDED_HEADERS)) {
      byte[] bytes = random(5000);
      client.extended(CMD_WRITE, CMD_FLAG_PAYLOAD_LEN, 1, 100, bytes.length);
      client.out.write(bytes);
      assertThat(client.chunk().type()).isEqualTo(REPLY_NONE);
      client.extended(CMD_READ, 0, 2, 100, bytes.length);
      assertThat(client.in.readInt()).isEqualTo(EXTENDED_REPLY_MAGIC);
      assertThat(client.in.readInt()).isEqualTo(REPLY_FLAG_DONE << 16 | REPLY_OFFSET_DATA);
      assertThat(client.in.readLong()).isEqualTo(2);
      assertThat(client.in.readLong()).isEqualTo(100);
      assertThat(client.in.readLong()).isEqualTo(8 + bytes.length);
      assertThat(client.in.readLong()).isEqualTo(100);
      assertThat(client.in.readNBytes(bytes.length)).isEqualTo(bytes);

      client.extended(CMD_WRITE, 0, 3, 0, 10);
      assertThat(client.chunk().error()).isEqualTo(EINVAL);
      client.extended(CMD_READ, CMD_FLAG_PAYLOAD_LEN, 4, 0, 10);
      client.out.write(new byte[10]);
      assertThat(client.chunk().error()).isEqualTo(EINVAL);
      client.extended(CMD_WRITE_ZEROES, 0, 5, 0, SIZE);
      assertThat(client.chunk().type()).isEqualTo(REPLY_NONE);
      assertThat(stored(100, bytes.length)).containsOnly(0);
    }
  }

  @Test
  void badRequestsAreRefusedAndTheConnectionLives() throws IOException {
    try (RawClient client = RawClient.ready(server)) {
      assertThat(refusal(client, 99, 0, 0, 10)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, CMD_FLAG_DF, 0, 10)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, CMD_FLAG_NO_HOLE, 0, 10)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, 0, SIZE - 5, 10)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, 0, -1, 10)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, 0, Long.MIN_VALUE, 10)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, 0, 0, -1)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, 0, 0, MAX + 1)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, 0, 0, 0)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_TRIM, 0, SIZE, 1)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_WRITE_ZEROES, 0, SIZE, 1)).isEqualTo(ENOSPC);
      assertThat(refusal(client, CMD_FLUSH, 0, 1, 0)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_BLOCK_STATUS, 0, 0, 1)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, CMD_FLAG_FUA, 0, 10)).isZero();
      client.in.readNBytes(10);
    }
  }

  private static int refusal(RawClient client, int type, int flags, long offset, int length)
      throws IOException {
    client.request(type, flags, 1, offset, length);
    return client.chunk().error();
  }

  @Test
  void thePayloadOfARefusedWriteIsSkipped() throws IOException {
    try (RawClient client = RawClient.ready(server)) {
      for (int length : new int[] {1, 1 << 20, MAX + 1}) {
        client.request(CMD_WRITE, length > MAX ? 0 : CMD_FLAG_DF, 1, 0, length);
        client.out.write(random(length));
        assertThat(client.chunk().error()).isEqualTo(EINVAL);
      }
      client.request(CMD_WRITE, 0, 1, SIZE - 1, 2);
      client.out.write(random(2));
      assertThat(client.chunk().error()).isEqualTo(ENOSPC);
      client.request(CMD_WRITE, 0, 1, 0, 2 * MAX + 1);
      assertThat(client.isEnded()).isTrue();
    }
    assertThat(stored(0, 1000)).containsOnly(0);
  }

  @Test
  void garbageEndsTheConnection() throws IOException {
    try (RawClient client = RawClient.ready(server)) {
      client.out.write(random(28));
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void aReadOnlyExportRefusesAllChanges() throws IOException {
    server.close();
    server =
        NbdServer.serve(java.util.List.of(NbdExport.of("", memory).withReadOnly(true))).start();
    try (RawClient client = RawClient.ready(server, OPT_STRUCTURED_REPLY)) {
      client.request(CMD_WRITE, 0, 1, 0, 10);
      client.out.write(random(10));
      RawClient.Chunk refusal = client.chunk();
      assertThat(refusal.type()).isEqualTo(REPLY_ERROR);
      assertThat(refusal.error()).isEqualTo(EPERM);
      assertThat(new String(refusal.data(), 6, refusal.data().length - 6, StandardCharsets.UTF_8))
          .isEqualTo("the export is read-only");
      assertThat(refusal(client, CMD_TRIM, 0, 0, 10)).isEqualTo(EPERM);
      assertThat(refusal(client, CMD_WRITE_ZEROES, 0, 0, 10)).isEqualTo(EPERM);
      assertThat(refusal(client, CMD_FLUSH, 0, 0, 0)).isZero();
    }
  }

  @Test
  void flushAndFuaSync() throws IOException {
    CountingBackend counting = CountingBackend.of(memory);
    serve(counting);
    try (RawClient client = RawClient.ready(server)) {
      client.request(CMD_WRITE, 0, 1, 0, 1);
      client.out.write(1);
      client.chunk();
      assertThat(counting.count(Kind.SYNC)).isZero();
      client.request(CMD_WRITE, CMD_FLAG_FUA, 1, 0, 1);
      client.out.write(1);
      client.chunk();
      assertThat(counting.count(Kind.SYNC)).isEqualTo(1);
      assertThat(refusal(client, CMD_FLUSH, 0, 0, 0)).isZero();
      assertThat(counting.count(Kind.SYNC)).isEqualTo(2);
      assertThat(refusal(client, CMD_WRITE_ZEROES, CMD_FLAG_FUA, 0, 1)).isZero();
      assertThat(refusal(client, CMD_TRIM, CMD_FLAG_FUA, 0, 1)).isZero();
      assertThat(counting.count(Kind.SYNC)).isEqualTo(4);
    }
  }

  @Test
  void zeroesWithAndWithoutHoles() throws IOException {
    byte[] bytes = random(1 << 20);
    fill(0, bytes);
    try (RawClient client = RawClient.ready(server)) {
      assertThat(refusal(client, CMD_WRITE_ZEROES, CMD_FLAG_FAST_ZERO, 0, 1 << 19)).isZero();
      assertThat(memory.extents(0, 1 << 20).getFirst()).isEqualTo(Extent.hole(0, 1 << 19));
      assertThat(refusal(client, CMD_WRITE_ZEROES, CMD_FLAG_NO_HOLE, 0, 1 << 19)).isZero();
      assertThat(memory.extents(0, 1 << 20).getFirst()).isEqualTo(Extent.data(0, 1 << 20));
      assertThat(stored(0, 1 << 19)).containsOnly(0);
      assertThat(refusal(client, CMD_TRIM, 0, 0, 1 << 20)).isZero();
      assertThat(refusal(client, CMD_CACHE, 0, 0, SIZE)).isZero();
    }
    serve(new ForwardingBackend(memory) {});
    fill(0, bytes);
    try (RawClient client = RawClient.ready(server)) {
      assertThat(refusal(client, CMD_WRITE_ZEROES, CMD_FLAG_FAST_ZERO, 0, 1 << 19))
          .isEqualTo(ENOTSUP);
      assertThat(stored(0, 1 << 20)).isEqualTo(bytes);
    }
  }

  @Test
  void blockStatusTellsDataFromHoles() throws IOException {
    fill(1 << 20, random(1 << 20));
    try (RawClient client = withAllocation(OPT_STRUCTURED_REPLY)) {
      client.request(CMD_BLOCK_STATUS, 0, 1, 4096, 4 << 20);
      RawClient.Chunk chunk = client.chunk();
      assertThat(chunk.type()).isEqualTo(REPLY_BLOCK_STATUS);
      assertThat(ints(chunk))
          .containsExactly(1, (1 << 20) - 4096, 3, 1 << 20, 0, (2 << 20) + 4096, 3);
      client.request(CMD_BLOCK_STATUS, CMD_FLAG_REQ_ONE, 1, 4096, 4 << 20);
      assertThat(ints(client.chunk())).containsExactly(1, (1 << 20) - 4096, 3);
    }
  }

  @Test
  void extendedBlockStatusNamesItsContexts() throws IOException {
    try (RawClient client = withAllocation(OPT_EXTENDED_HEADERS)) {
      client.extended(CMD_BLOCK_STATUS, 0, 1, 0, SIZE);
      RawClient.Chunk chunk = client.chunk();
      assertThat(chunk.type()).isEqualTo(REPLY_BLOCK_STATUS_EXT);
      assertThat(ints(chunk)).containsExactly(1, 1, 0, SIZE, 0, 3);

      client.extended(CMD_BLOCK_STATUS, CMD_FLAG_PAYLOAD_LEN, 2, 0, 12);
      client.out.writeLong(4096);
      client.out.writeInt(1);
      assertThat(ints(client.chunk())).containsExactly(1, 1, 0, 4096, 0, 3);
      client.extended(CMD_BLOCK_STATUS, CMD_FLAG_PAYLOAD_LEN, 3, 0, 12);
      client.out.writeLong(4096);
      client.out.writeInt(2);
      assertThat(client.chunk().error()).isEqualTo(EINVAL);
      client.extended(CMD_BLOCK_STATUS, CMD_FLAG_PAYLOAD_LEN, 4, SIZE - 1, 12);
      client.out.writeLong(4096);
      client.out.writeInt(1);
      assertThat(client.chunk().error()).isEqualTo(EINVAL);
      client.extended(CMD_BLOCK_STATUS, CMD_FLAG_PAYLOAD_LEN, 5, 0, 4000);
      client.out.write(new byte[4000]);
      assertThat(client.chunk().error()).isEqualTo(EINVAL);
      client.extended(CMD_BLOCK_STATUS, CMD_FLAG_PAYLOAD_LEN, 6, 0, 0);
      assertThat(client.chunk().error()).isEqualTo(EINVAL);
      client.extended(CMD_BLOCK_STATUS, CMD_FLAG_PAYLOAD_LEN, 7, 0, Long.MIN_VALUE + 12);
      assertThat(client.isEnded()).isTrue();
    }
  }

  private RawClient withAllocation(int headers) throws IOException {
    RawClient client = RawClient.greeted(server);
    client.ask(headers);
    client.ack();
    client.ask(OPT_SET_META_CONTEXT, RawClient.contexts("", "base:allocation"));
    client.ack();
    client.go("");
    return client;
  }

  private static int[] ints(RawClient.Chunk chunk) {
    int[] ints = new int[chunk.data().length / 4];
    chunk.buffer().asIntBuffer().get(ints);
    return ints;
  }

  @Test
  void theMinimumBlockSizeIsEnforced() throws IOException {
    serve(
        new ForwardingBackend(memory) {
          @Override
          public Geometry geometry() {
            return new Geometry(512, 0, 1 << 20, false);
          }
        });
    try (RawClient client = RawClient.ready(server)) {
      assertThat(refusal(client, CMD_READ, 0, 100, 512)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_TRIM, 0, 512, 100)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, 0, 0, (1 << 20) + 512)).isEqualTo(EINVAL);
      assertThat(refusal(client, CMD_READ, 0, 512, 512)).isZero();
    }
  }

  @Test
  void failuresOfTheBackendBecomeErrorsOfTheProtocol() throws IOException {
    FaultyBackend faulty = FaultyBackend.of(memory);
    serve(faulty);
    try (RawClient client = RawClient.ready(server, OPT_STRUCTURED_REPLY)) {
      faulty.fail(1, BackendCall.any(), () -> new NoSpaceException("full"));
      assertThat(refusal(client, CMD_TRIM, 0, 0, 1)).isEqualTo(ENOSPC);
      faulty.fail(1, BackendCall.any(), () -> new ReadOnlyException("no"));
      assertThat(refusal(client, CMD_TRIM, 0, 0, 1)).isEqualTo(EPERM);
      faulty.fail(1, BackendCall.any(), () -> new IOException("the disk is on fire"));
      client.request(CMD_READ, 0, 5, 0, 100);
      RawClient.Chunk failure = client.chunk();
      assertThat(failure.error()).isEqualTo(EIO);
      assertThat(new String(failure.data(), StandardCharsets.UTF_8)).contains("on fire");
      faulty.fail(1, BackendCall.any(), () -> new IOException("x".repeat(10_000)));
      assertThat(refusal(client, CMD_FLUSH, 0, 0, 0)).isEqualTo(EIO);
      assertThat(refusal(client, CMD_FLUSH, 0, 0, 0)).isZero();
    }
  }

  @Test
  void aRequestThatHangsHoldsUpNoOther() throws Exception {
    FaultyBackend faulty = FaultyBackend.of(memory);
    serve(faulty);
    try (RawClient client = RawClient.ready(server);
        FaultyBackend.Fault held = faulty.hold(BackendCall.touching(0))) {
      client.request(CMD_READ, 0, 1, 0, 100);
      held.awaitHits(1, Duration.ofSeconds(10));
      client.request(CMD_READ, 0, 2, 1 << 20, 100);
      assertThat(client.chunk().cookie()).isEqualTo(2);
      client.in.readNBytes(100);
      held.close();
      assertThat(client.chunk().cookie()).isEqualTo(1);
    }
  }

  @Test
  void disconnectingFinishesWhatIsInFlight() throws Exception {
    FaultyBackend faulty = FaultyBackend.of(memory);
    serve(faulty);
    byte[] bytes = random(100);
    try (RawClient client = RawClient.ready(server);
        FaultyBackend.Fault held = faulty.hold(BackendCall.touching(0))) {
      client.request(CMD_WRITE, 0, 1, 0, 100);
      client.out.write(bytes);
      client.request(CMD_DISC, 0, 0, 0, 0);
      held.awaitHits(1, Duration.ofSeconds(10));
      held.close();
      assertThat(client.chunk().error()).isZero();
      assertThat(client.isEnded()).isTrue();
    }
    assertThat(stored(0, 100)).isEqualTo(bytes);
  }

  @Test
  void closingFinishesWhatIsInFlightAndEndsTheRest() throws Exception {
    FaultyBackend faulty = FaultyBackend.of(memory);
    serve(faulty);
    try (RawClient busy = RawClient.ready(server);
        RawClient idle = RawClient.ready(server);
        RawClient early = RawClient.greeted(server);
        FaultyBackend.Fault held = faulty.hold(BackendCall.touching(0))) {
      busy.request(CMD_READ, 0, 1, 0, 100);
      held.awaitHits(1, Duration.ofSeconds(10));
      CompletableFuture<Void> closing =
          CompletableFuture.runAsync(() -> {
            try {
              server.close();
            } catch (IOException e) {
              throw new java.io.UncheckedIOException(e);
            }
          });
      assertThat(idle.isEnded()).isTrue();
      assertThat(early.isEnded()).isTrue();
      held.close();
      assertThat(busy.chunk().error()).isZero();
      busy.in.readNBytes(100);
      assertThat(busy.isEnded()).isTrue();
      closing.get();
    }
  }

  @Test
  void closingDoesNotWaitForEverForABackendThatHangs() throws Exception {
    FaultyBackend faulty = FaultyBackend.of(memory);
    server.close();
    server = NbdServer.serve(faulty).grace(Duration.ofMillis(100)).start();
    try (RawClient client = RawClient.ready(server);
        FaultyBackend.Fault held = faulty.hold(BackendCall.touching(0))) {
      client.request(CMD_READ, 0, 1, 0, 100);
      held.awaitHits(1, Duration.ofSeconds(10));
      server.close();
      assertThat(client.isEnded()).isTrue();
    }
  }

  @Test
  void manyRequestsInOneSegmentAreAllAnswered() throws IOException {
    byte[] bytes = random(1 << 20);
    fill(0, bytes);
    int count = 10_000;
    try (RawClient client = RawClient.ready(server)) {
      ByteBuffer all = ByteBuffer.allocate(count * 28);
      for (int i = 0; i < count; i++) {
        all.putInt(REQUEST_MAGIC).putInt(CMD_READ).putLong(i).putLong(i).putInt(100);
      }
      Thread.ofVirtual()
          .start(() -> {
            try {
              client.out.write(all.array());
            } catch (IOException e) {
              throw new java.io.UncheckedIOException(e);
            }
          });
      for (int i = 0; i < count; i++) {
        assertThat(client.chunk().cookie()).isEqualTo(i);
        assertThat(client.in.readNBytes(100)).isEqualTo(Arrays.copyOfRange(bytes, i, i + 100));
      }
    }
  }

  @Test
  void tooManyClientsAreSentAway() throws IOException {
    server.close();
    server = NbdServer.serve(memory).connections(1).start();
    try (RawClient first = RawClient.ready(server);
        RawClient second = RawClient.silent(server)) {
      assertThat(second.isEnded()).isTrue();
      assertThat(refusal(first, CMD_FLUSH, 0, 0, 0)).isZero();
    }
  }

  @Test
  void whoHasNotSaidWhatItWantsMakesRoom() throws IOException {
    server.close();
    server = NbdServer.serve(memory).connections(2).start();
    try (RawClient oldest = RawClient.greeted(server);
        RawClient second = RawClient.greeted(server)) {
      second.go("");
      try (RawClient third = RawClient.ready(server)) {
        assertThat(oldest.isEnded()).isTrue();
        assertThat(refusal(second, CMD_FLUSH, 0, 0, 0)).isZero();
        assertThat(refusal(third, CMD_FLUSH, 0, 0, 0)).isZero();
      }
    }
  }

  @Test
  void aReadThatFailsInMemorySaysWhere() throws IOException {
    try (RawClient client = RawClient.ready(server, OPT_STRUCTURED_REPLY)) {
      memory.close();
      client.request(CMD_READ, 0, 1, 8192, 1 << 20);
      RawClient.Chunk refusal = client.chunk();
      assertThat(refusal.type()).isEqualTo(REPLY_ERROR_OFFSET);
      assertThat(refusal.flags()).isEqualTo(REPLY_FLAG_DONE);
      assertThat(refusal.error()).isEqualTo(EIO);
      assertThat(refusal.buffer().getLong(refusal.data().length - 8)).isEqualTo(8192);
      assertThat(refusal(client, CMD_FLUSH, 0, 0, 0)).isEqualTo(EIO);
    }
  }
}
