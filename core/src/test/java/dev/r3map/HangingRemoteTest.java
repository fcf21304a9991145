package dev.r3map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.store.ScriptedBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls that do not return and heed no interrupt hold nobody up for longer than the io timeout. */
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HangingRemoteTest {
  private static final int CHUNK = 16 << 10;

  /** Chunks that keep every push worker busy and leave some waiting. */
  private static final int MANY = 20;

  private static final Duration IO_TIMEOUT = Duration.ofMillis(500);

  private final CountDownLatch recovery = new CountDownLatch(1);
  private final ScriptedBackend.Script hang = (offset, length) -> Waiting.stubbornly(recovery);
  private final ScriptedBackend.Script work = (offset, length) -> {};

  @AfterEach
  void letTheCallsGo() {
    recovery.countDown();
  }

  private static Region managed(ScriptedBackend remote) throws IOException {
    return ManagedMount.on(remote)
        .chunkSize(CHUNK)
        .pullWorkers(0)
        .pushInterval(Duration.ofHours(1))
        .ioTimeout(IO_TIMEOUT)
        .open();
  }

  private static Region direct(ScriptedBackend remote) throws IOException {
    return DirectMount.open(remote, false, IO_TIMEOUT);
  }

  private static void fill(Region region, int value) throws IOException {
    byte[] bytes = new byte[(int) region.size()];
    Arrays.fill(bytes, (byte) value);
    region.write(ByteBuffer.wrap(bytes), 0);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, MANY})
  void aWriteThatHangsFailsTheSyncAndWhatItHadIsPushedLater(int chunks) throws Exception {
    ScriptedBackend remote = new ScriptedBackend(chunks * CHUNK);
    remote.onWrite = hang;
    try (Region region = managed(remote)) {
      fill(region, 1);
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(region::sync)
            .isInstanceOf(IOException.class)
            .hasMessageContaining("cannot write scripted:")
            .hasMessageContaining("no answer");
        assertThat(region.progress().dirty()).isEqualTo(region.size());
      }
      assertThat(remote.writes.get()).isLessThan(MANY);
      recovery.countDown();
      region.sync();
      assertThat(remote.durable).containsOnly(1);
      assertThat(region.progress().dirty()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, MANY})
  void aWriteThatHangsDoesNotHoldUpClose(int chunks) throws Exception {
    ScriptedBackend remote = new ScriptedBackend(chunks * CHUNK);
    remote.onWrite = hang;
    Region region = managed(remote);
    fill(region, 1);
    assertThatThrownBy(region::close)
        .isInstanceOf(IOException.class)
        .hasMessageContaining(region.size() + " bytes were not pushed")
        .hasMessageContaining("no answer");
  }

  @Test
  void aChunkThatHangsDoesNotKeepTheOthersFromTheRemote() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(MANY * CHUNK);
    remote.onWrite =
        (offset, length) -> {
          if (offset == 0) {
            Waiting.stubbornly(recovery);
          }
        };
    try (Region region = managed(remote)) {
      fill(region, 1);
      assertThatThrownBy(region::sync).hasMessageContaining("offset=0");
      assertThat(Arrays.copyOfRange(remote.bytes, CHUNK, MANY * CHUNK)).containsOnly(1);
      recovery.countDown();
    }
    assertThat(remote.durable).containsOnly(1);
  }

  @Test
  void whatAWriteThatHungStillWritesIsOverwritten() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.onWrite = hang;
    try (Region region = managed(remote)) {
      fill(region, 1);
      assertThatThrownBy(region::sync).isInstanceOf(IOException.class);
      remote.onWrite = work;
      fill(region, 2);
      CompletableFuture<Boolean> next = Waiting.run(region::sync);
      // The old bytes may still arrive, so the new ones must wait.
      assertThatThrownBy(next::get).hasMessageContaining("no answer");
      assertThat(remote.writes.get()).isEqualTo(1);
      recovery.countDown();
      region.sync();
      assertThat(remote.durable).containsOnly(2);
    }
  }

  @Test
  void aSyncThatHangsFailsAndTheNextOneNeedNotWaitForIt() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(MANY * CHUNK);
    remote.onSync = hang;
    try (Region region = managed(remote)) {
      fill(region, 1);
      assertThatThrownBy(region::sync)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("cannot sync scripted:")
          .hasMessageContaining("no answer");
      assertThat(region.progress().dirty()).isEqualTo(region.size());
      remote.onSync = work;
      region.sync();
      assertThat(remote.durable).containsOnly(1);
    }
  }

  @Test
  void aSyncThatHangsDoesNotHoldUpClose() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.onSync = hang;
    Region region = managed(remote);
    fill(region, 1);
    assertThatThrownBy(region::close)
        .isInstanceOf(IOException.class)
        .hasMessageContaining(CHUNK + " bytes were not pushed");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aRemoteThatDoesNotTellItsSizeCannotBeOpened(boolean managed) {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.onSize = hang;
    assertThatThrownBy(() -> (managed ? managed(remote) : direct(remote)).close())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("no answer from scripted:");
  }

  @Test
  void aSyncThatHangsFailsADirectMountsSyncAndClose() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.onSync = hang;
    Region region = direct(remote);
    fill(region, 1);
    assertThatThrownBy(region::sync)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("no answer");
    remote.onSync = work;
    region.sync();
    assertThat(remote.durable).containsOnly(1);
    remote.onSync = hang;
    assertThatThrownBy(region::close)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("no answer");
  }

  @Test
  void aReadThatHangsDoesNotHoldUpADirectMountsClose() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    CountDownLatch asked = new CountDownLatch(1);
    remote.onRead =
        (offset, length) -> {
          asked.countDown();
          Waiting.stubbornly(recovery);
        };
    Region region = direct(remote);
    CompletableFuture<Boolean> reader = Waiting.run(() -> region.read(ByteBuffer.allocate(1), 0));
    asked.await();
    assertThatThrownBy(region::close)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("do not return");
    recovery.countDown();
    assertThat(reader.get()).isTrue();
  }
}
