package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Transmission.CMD_FLUSH;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.ESHUTDOWN;
import static dev.r3map.nbd.protocol.Transmission.FLAG_CAN_MULTI_CONN;
import static dev.r3map.nbd.protocol.Transmission.FLAG_HAS_FLAGS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is promised when the server goes away and comes back. */
@Timeout(60)
class ClientRestartTest {
  private static final int SIZE = 1 << 20;

  private final ScriptedServer peer = new ScriptedServer(SIZE);
  private NbdBackend backend;

  private NbdBackend open(Duration timeout) throws IOException {
    BackendOptions options = BackendOptions.DEFAULT.withTimeout(timeout);
    backend = NbdBackend.at(peer.start().uri()).options(options).open();
    return backend;
  }

  private NbdBackend open() throws IOException {
    return open(Duration.ofSeconds(20));
  }

  @AfterEach
  void close() throws IOException {
    backend.close();
    peer.close();
  }

  @Test
  void callsInFlightAreMadeAgain() throws Exception {
    Payload payload = Payload.of(1);
    CountDownLatch asked = new CountDownLatch(2);
    peer.script =
        (call, out) -> {
          asked.countDown();
          return true;
        };
    open();
    ByteBuffer back = ByteBuffer.allocateDirect(5000);
    var reading = Async.run(() -> backend.read(back, 100_000));
    var writing = Async.run(() -> backend.write(payload.bytes(0, 5000), 0));
    assertThat(asked.await(10, TimeUnit.SECONDS)).isTrue();

    peer.crash();
    peer.script = null;
    peer.start();

    reading.get(10, TimeUnit.SECONDS);
    writing.get(10, TimeUnit.SECONDS);
    assertThat(ByteBuffer.wrap(peer.bytes(0, 5000))).isEqualTo(payload.bytes(0, 5000));
  }

  /** The promise that all else is for. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aSyncFailsUntilWhatARestartMayHaveLostIsWrittenAgain(boolean several) throws Exception {
    if (several) {
      peer.flags |= FLAG_CAN_MULTI_CONN;
    }
    Async.busy(open(), several ? 4 : 1);
    Payload payload = Payload.of(2);
    backend.write(payload.bytes(0, 8192), 0);
    backend.sync();
    backend.write(payload.bytes(8192, 8192), 8192);

    peer.crash();
    peer.start();

    assertThatThrownBy(backend::sync)
        .isExactlyInstanceOf(IOException.class)
        .hasMessageContaining("8192 bytes were written; write them again");
    assertThatThrownBy(backend::sync).isExactlyInstanceOf(IOException.class);
    assertThat(peer.bytes(8192, 16_384)).containsOnly(0);
    backend.write(payload.bytes(8192, 8192), 8192);
    backend.sync();

    peer.crash();
    assertThat(ByteBuffer.wrap(peer.bytes(0, 16_384))).isEqualTo(payload.bytes(0, 16_384));
  }

  @Test
  void aRestartAfterASyncLosesNothingAndIsNotNoticed() throws Exception {
    Payload payload = Payload.of(3);
    open().write(payload.bytes(0, 8192), 0);
    backend.sync();

    peer.crash();
    peer.start();

    backend.sync();
    ByteBuffer back = ByteBuffer.allocate(8192);
    backend.read(back, 0);
    assertThat(back.flip()).isEqualTo(payload.bytes(0, 8192));
  }

  @Test
  void aRestartDuringASyncFailsIt() throws Exception {
    CountDownLatch flushing = new CountDownLatch(1);
    peer.script =
        (call, out) -> {
          flushing.countDown();
          return call.type() == CMD_FLUSH;
        };
    open().write(Payload.of(4).bytes(0, 4096), 0);
    var syncing = Async.run(backend::sync);
    assertThat(flushing.await(10, TimeUnit.SECONDS)).isTrue();

    peer.crash();
    peer.script = null;
    peer.start();

    assertThatThrownBy(() -> syncing.get(10, TimeUnit.SECONDS))
        .hasMessageContaining("write them again");
  }

  /** It is not asked to flush, but whether it is still the one that has the writes. */
  @Test
  void aServerWithoutFlushIsAskedWhetherItIsTheSame() throws Exception {
    peer.flags = FLAG_HAS_FLAGS;
    open().write(Payload.of(5).bytes(0, 4096), 0);
    backend.sync();
    backend.write(Payload.of(5).bytes(0, 4096), 0);

    peer.crash();
    peer.start();

    assertThatThrownBy(backend::sync).hasMessageContaining("write them again");
  }

  @Test
  void aServerThatShutsDownIsLeftForItsSuccessor() throws Exception {
    AtomicInteger refused = new AtomicInteger();
    peer.script =
        (call, out) -> {
          if (refused.incrementAndGet() > 3) {
            return false;
          }
          out.error(call, ESHUTDOWN, "");
          return true;
        };

    open().read(ByteBuffer.allocate(100), 0);

    assertThat(refused).hasValue(4);
  }

  @Test
  void aServerThatReturnsWithAnotherSizeIsAnotherResource() throws Exception {
    open().read(ByteBuffer.allocate(100), 0);

    peer.crash();
    peer.size = SIZE / 2;
    peer.start();

    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> backend.read(ByteBuffer.allocate(100), 0))
          .isInstanceOf(ResourceChangedException.class)
          .hasMessageContaining("524288 bytes and not 1048576");
    }
  }

  @Test
  void aServerThatStaysAwayFailsTheCallInTime() throws Exception {
    open(Duration.ofMillis(300)).read(ByteBuffer.allocate(100), 0);

    peer.crash();

    assertThatThrownBy(() -> backend.read(ByteBuffer.allocate(100), 0))
        .isInstanceOf(IOException.class)
        .isNotInstanceOf(PermanentIOException.class)
        .hasMessageContaining("refused");
    peer.start();
    backend.read(ByteBuffer.allocate(100), 0);
  }

  @Test
  void aServerThatBreaksOffEveryTimeIsNotTriedForEver() throws Exception {
    peer.script =
        (call, out) -> {
          throw new IOException("broken");
        };

    assertThatThrownBy(() -> open(Duration.ofMillis(500)).read(ByteBuffer.allocate(100), 0))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("cannot read (offset=0, length=100)");

    // 10, 20, 40, 80 and 160 ms pass between the attempts.
    assertThat(peer.calls.stream().filter(call -> call.type() == CMD_READ).count())
        .isBetween(2L, 10L);
  }

  @Test
  void theLossOfAFurtherConnectionIsNoLossOfWrites() throws Exception {
    peer.flags |= FLAG_CAN_MULTI_CONN;
    open();
    Async.busy(backend, 4);
    backend.write(Payload.of(6).bytes(0, 4096), 0);

    peer.sockets.getLast().close();

    Async.await(() -> backend.connections() == 3);
    for (int i = 0; i < 100; i++) {
      backend.read(ByteBuffer.allocate(4096), 0);
    }
    backend.sync();
  }

  @Test
  void readsUseAllConnectionsAndFlushesTheFirst() throws Exception {
    peer.flags |= FLAG_CAN_MULTI_CONN;
    open();
    Async.busy(backend, 4);
    CountDownLatch together = new CountDownLatch(4);
    // Each connection of the peer answers one request at a time: none would, were they not spread.
    peer.script =
        (call, out) -> {
          together.countDown();
          try {
            assertThat(together.await(10, TimeUnit.SECONDS)).isTrue();
          } catch (InterruptedException e) {
            throw new IOException(e);
          }
          return false;
        };
    var reads = new CompletableFuture<?>[4];
    for (int i = 0; i < reads.length; i++) {
      reads[i] = Async.run(() -> backend.read(ByteBuffer.allocate(4096), 0));
    }
    CompletableFuture.allOf(reads).get(15, TimeUnit.SECONDS);
  }

  @Test
  void closeEndsACallThatWaitsForTheServer() throws Exception {
    open().read(ByteBuffer.allocate(100), 0);
    AtomicBoolean closed = new AtomicBoolean();
    CountDownLatch asked = new CountDownLatch(1);
    peer.script =
        (call, out) -> {
          asked.countDown();
          return true;
        };
    var reading =
        Async.run(() -> {
          try {
            backend.read(ByteBuffer.allocate(100), 0);
          } finally {
            assertThat(closed).isTrue();
          }
        });
    assertThat(asked.await(10, TimeUnit.SECONDS)).isTrue();

    closed.set(true);
    backend.close();

    assertThatThrownBy(() -> reading.get(5, TimeUnit.SECONDS))
        .hasCauseInstanceOf(PermanentIOException.class)
        .hasMessageContaining("closed");
  }

  @Test
  void closeEndsACallThatWaitsForAConnection() throws Exception {
    open().read(ByteBuffer.allocate(100), 0);
    peer.crash();
    var reading = Async.run(() -> backend.read(ByteBuffer.allocate(100), 0));
    Async.await(() -> backend.connections() == 0);

    backend.close();

    assertThatThrownBy(() -> reading.get(5, TimeUnit.SECONDS)).hasMessageContaining("closed");
    assertThat(peer.calls.stream().filter(call -> call.type() == CMD_WRITE)).isEmpty();
  }
}
