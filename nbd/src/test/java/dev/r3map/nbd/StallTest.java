package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.OPTION_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPT_INFO;
import static dev.r3map.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.MemoryBackend;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.FaultyBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Clients that keep the server waiting must not keep others waiting. */
@Timeout(60)
// Faults are ended before their time.
@SuppressWarnings("try")
class StallTest {
  private static final int SIZE = 64 << 20;
  private static final int MAX = 32 << 20;
  private static final Duration SOON = Duration.ofMillis(300);
  private static final Duration NEVER = Duration.ofHours(1);

  private MemoryBackend memory;
  private FaultyBackend backend;
  private NbdServer server;

  @BeforeEach
  void open() throws IOException {
    memory = MemoryBackend.of(SIZE);
    // Zeros would not travel.
    byte[] bytes = new byte[SIZE];
    Arrays.fill(bytes, (byte) 7);
    memory.write(ByteBuffer.wrap(bytes), 0);
    backend = FaultyBackend.of(memory);
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    memory.close();
  }

  /** With memory for one large request. */
  private NbdServer.Builder scarce(Duration stall) {
    return NbdServer.serve(backend).memory(MAX).stallTimeout(stall);
  }

  private static void assertServed(RawClient client) throws IOException {
    client.request(CMD_READ, 0, 42, 0, 100_000);
    assertThat(client.chunk().error()).isZero();
    assertThat(client.in.readNBytes(100_000)).containsOnly(7);
  }

  @Test
  void whoStopsInTheMiddleOfAPayloadIsCutWhenOthersNeedTheMemory() throws IOException {
    server = scarce(SOON).start();
    try (RawClient stalled = RawClient.ready(server);
        RawClient other = RawClient.ready(server)) {
      stalled.request(CMD_WRITE, 0, 1, 0, MAX);
      stalled.out.write(new byte[100]);
      awaitTaken(stalled);
      assertServed(other);
      assertThat(stalled.isEnded()).isTrue();
      assertServed(other);
    }
  }

  /** Until the server is in the middle of it. */
  private static void awaitTaken(RawClient stalled) throws IOException {
    // More than the buffers of sockets hold: when all of this is sent, most of it was received.
    stalled.out.write(new byte[MAX - 101]);
  }

  @Test
  void whoDripsAPayloadIsCutWhenOthersNeedTheMemory() throws Exception {
    server = scarce(SOON).start();
    try (RawClient stalled = RawClient.ready(server);
        RawClient other = RawClient.ready(server)) {
      stalled.request(CMD_WRITE, 0, 1, 0, MAX);
      stalled.out.write(new byte[16 << 20]);
      Thread drip = Thread.ofVirtual().start(() -> drip(stalled));
      assertServed(other);
      assertThat(drip.join(Duration.ofSeconds(10))).isTrue();
    }
  }

  private static void drip(RawClient client) {
    try {
      while (true) {
        client.out.write(0);
        LockSupport.parkNanos(20_000_000);
      }
    } catch (IOException e) {
      // The server has had enough.
      return;
    }
  }

  @Test
  void whoDoesNotTakeRepliesIsCutWhenOthersNeedTheMemory() throws IOException {
    server = scarce(SOON).start();
    try (RawClient stalled = RawClient.ready(server);
        RawClient other = RawClient.ready(server)) {
      stalled.request(CMD_READ, 0, 1, 0, MAX);
      assertThat(stalled.in.read()).isEqualTo(SIMPLE_REPLY_MAGIC >>> 24);
      assertServed(other);
      assertThat(stalled.in.readAllBytes().length).isLessThan(MAX);
    }
  }

  @Test
  void whoKeepsNobodyWaitingMayTakeItsTime() throws IOException {
    server = scarce(Duration.ofMillis(1)).start();
    try (RawClient slow = RawClient.ready(server)) {
      slow.request(CMD_WRITE, 0, 1, 0, MAX);
      slow.out.write(new byte[MAX - 1]);
      LockSupport.parkNanos(50_000_000);
      slow.out.write(0);
      assertThat(slow.chunk().error()).isZero();
    }
  }

  @Test
  void aSlowBackendIsNotTheFaultOfTheClient() throws Exception {
    server = scarce(Duration.ofMillis(500)).start();
    try (RawClient patient = RawClient.ready(server);
        RawClient other = RawClient.ready(server);
        FaultyBackend.Fault held = backend.hold(BackendCall.touching(MAX))) {
      // Takes all memory, for buffers have powers of two, but is sent soon.
      patient.request(CMD_READ, 0, 1, MAX, MAX / 2 + 1);
      held.awaitHits(1, Duration.ofSeconds(10));
      other.request(CMD_READ, 0, 2, 0, 100_000);
      LockSupport.parkNanos(1_200_000_000);
      held.close();
      assertThat(patient.chunk().error()).isZero();
      patient.in.skipNBytes(MAX / 2 + 1);
      assertThat(other.chunk().error()).isZero();
    }
  }

  @Test
  void oneClientCannotKeepAllMemory() throws IOException {
    server = NbdServer.serve(backend).memory(2L * MAX).stallTimeout(NEVER).start();
    try (RawClient greedy = RawClient.ready(server);
        RawClient other = RawClient.ready(server)) {
      for (int i = 0; i < 10; i++) {
        greedy.request(CMD_READ, 0, i, 0, MAX);
      }
      assertThat(greedy.in.read()).isEqualTo(SIMPLE_REPLY_MAGIC >>> 24);
      assertServed(other);
      assertServed(other);
    }
  }

  @Test
  void aViolationEndsTheConnectionThoughRepliesAreNotTaken() throws IOException {
    server = NbdServer.serve(backend).connections(1).stallTimeout(NEVER).start();
    try (RawClient stalled = RawClient.ready(server)) {
      stalled.request(CMD_READ, 0, 1, 0, MAX);
      assertThat(stalled.in.read()).isEqualTo(SIMPLE_REPLY_MAGIC >>> 24);
      stalled.out.write(new byte[28]);
      try (RawClient other = awaitPlace()) {
        assertServed(other);
      }
    }
  }

  @Test
  void clientsThatSayNothingMakeRoomForOthers() throws IOException {
    server = NbdServer.serve(backend).connections(3).handshakeTimeout(SOON).start();
    List<RawClient> halfOpen = new ArrayList<>();
    try {
      for (int i = 0; i < 3; i++) {
        halfOpen.add(RawClient.silent(server));
      }
      Thread.ofVirtual().start(() -> drip(halfOpen.getFirst()));
      halfOpen.get(1).greet(3);
      halfOpen.get(1).out.writeLong(OPTION_MAGIC);
      halfOpen.get(1).out.writeInt(OPT_INFO);
      try (RawClient good = awaitPlace()) {
        assertServed(good);
      }
    } finally {
      for (RawClient client : halfOpen) {
        client.close();
      }
    }
  }

  @Test
  void refusalsDoNotFillTheLog() throws IOException {
    server = NbdServer.serve(backend).connections(1).start();
    try (RawClient good = RawClient.ready(server);
        Warnings warnings = new Warnings()) {
      for (int i = 0; i < 20; i++) {
        try (RawClient refused = RawClient.silent(server)) {
          assertThat(refused.isEnded()).isTrue();
        }
      }
      assertServed(good);
      assertThat(warnings.seen()).hasSize(1);
    }
  }

  /** Tries until it is let in. */
  private RawClient awaitPlace() throws IOException {
    long begin = System.nanoTime();
    while (true) {
      try {
        return RawClient.ready(server);
      } catch (IOException e) {
        if (System.nanoTime() - begin > Duration.ofSeconds(20).toNanos()) {
          throw e;
        }
        LockSupport.parkNanos(10_000_000);
      }
    }
  }
}
