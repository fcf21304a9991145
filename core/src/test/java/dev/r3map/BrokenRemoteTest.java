package dev.r3map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.store.ScriptedBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Remotes with bugs, and remotes that are away for long. */
@Timeout(30)
class BrokenRemoteTest {
  private static final int CHUNK = 16 << 10;

  /**
   * Tries in a second, with pauses of at least half of 10, 20, 40, ... 500 ms: nine, and one at the
   * end of it.
   */
  private static final int TRIES_A_SECOND = 10;

  private static Region managed(ScriptedBackend remote, int pullWorkers) throws IOException {
    return ManagedMount.on(remote)
        .chunkSize(CHUNK)
        .pullWorkers(pullWorkers)
        .pushInterval(Duration.ofHours(1))
        .ioTimeout(Duration.ofSeconds(1))
        .open();
  }

  private static byte[] all(Region region) throws IOException {
    ByteBuffer dst = ByteBuffer.allocate((int) region.size());
    region.read(dst, 0);
    return dst.array();
  }

  private static void fill(Region region, int value) throws IOException {
    byte[] bytes = new byte[(int) region.size()];
    Arrays.fill(bytes, (byte) value);
    region.write(ByteBuffer.wrap(bytes), 0);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aBugInMidCallFailsThatCallAndTheNextOneSucceeds(boolean managed) throws Exception {
    ScriptedBackend remote = new ScriptedBackend(3 * CHUNK);
    byte[] before = remote.bytes.clone();
    AtomicBoolean broken = new AtomicBoolean(true);
    ScriptedBackend.Script bug =
        (offset, length) -> {
          if (broken.getAndSet(false)) {
            throw new IllegalStateException("a bug");
          }
        };
    remote.afterRead = bug;
    remote.afterWrite = bug;
    remote.onSync = bug;
    try (Region region =
        managed ? managed(remote, 0) : DirectMount.open(remote, false, Duration.ofSeconds(1))) {
      assertThatThrownBy(() -> all(region))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("a bug");
      assertThat(all(region)).isEqualTo(before);

      broken.set(true);
      assertThatThrownBy(
              () -> {
                fill(region, 1);
                region.sync();
              })
          .isInstanceOf(IOException.class)
          .hasMessageContaining("a bug");
      fill(region, 2);
      region.sync();
      assertThat(remote.durable).containsOnly(2);
    }
  }

  @Test
  void aBugInTheRemotesSyncFailsADirectSyncAndTheNextOneSucceeds() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    AtomicInteger bugs = new AtomicInteger(1);
    remote.onSync =
        (offset, length) -> {
          if (bugs.getAndDecrement() > 0) {
            throw new IllegalStateException("a bug");
          }
        };
    try (Region region = DirectMount.open(remote)) {
      fill(region, 1);
      assertThatThrownBy(region::sync)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("a bug");
      region.sync();
      assertThat(remote.durable).containsOnly(1);
    }
  }

  @Test
  void aMomentaryLackOfMemoryIsNoFailure() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    AtomicInteger failures = new AtomicInteger(2);
    remote.afterRead =
        (offset, length) -> {
          if (failures.getAndDecrement() > 0) {
            throw new OutOfMemoryError("no direct memory");
          }
        };
    try (Region region = managed(remote, 0)) {
      assertThat(all(region)).isEqualTo(remote.bytes);
    }
  }

  @Test
  void bugsDoNotEndThePull() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(32 * CHUNK);
    AtomicInteger bugs = new AtomicInteger(20);
    remote.afterRead =
        (offset, length) -> {
          if (bugs.getAndDecrement() > 0) {
            throw new IllegalStateException("a bug");
          }
        };
    try (Region region = managed(remote, 4)) {
      region.awaitLocal(1, Duration.ofSeconds(20));
      assertThat(all(region)).isEqualTo(remote.bytes);
    }
  }

  @Test
  void aRemoteThatIsAwayIsNotAskedTooOften() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.onRead =
        (offset, length) -> {
          throw new IOException("away");
        };
    try (Region region = managed(remote, 0)) {
      assertThatThrownBy(() -> all(region)).hasMessageContaining("away");
      assertThat(remote.reads.get()).isBetween(2, TRIES_A_SECOND);
    }
  }

  @Test
  void manyWhoWaitForOneChunkAskNoMoreThanOneDoes() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.onRead =
        (offset, length) -> {
          throw new IOException("away");
        };
    try (Region region = managed(remote, 0)) {
      List<CompletableFuture<byte[]>> readers = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        readers.add(Waiting.supply(() -> all(region)));
      }
      for (CompletableFuture<byte[]> reader : readers) {
        assertThatThrownBy(reader::get).hasMessageContaining("away");
      }
      // One fetch until the first gives up, and one more for those who came later.
      assertThat(remote.reads.get()).isLessThanOrEqualTo(2 * TRIES_A_SECOND);
    }
  }

  @Test
  void aPullWhoseRemoteIsAwayDoesNotStormIt() throws Exception {
    int workers = 4;
    ScriptedBackend remote = new ScriptedBackend(64 * CHUNK);
    remote.onRead =
        (offset, length) -> {
          throw new IOException("away");
        };
    try (Region region = managed(remote, workers)) {
      assertThatThrownBy(() -> region.read(ByteBuffer.allocate(1), 63 * CHUNK))
          .hasMessageContaining("away");
      // Each worker may have begun with another chunk just now.
      assertThat(remote.reads.get()).isLessThanOrEqualTo((2 * workers + 1) * TRIES_A_SECOND);
    }
  }

  @Test
  void aRemoteThatTakesNothingIsNotAskedTooOften() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    AtomicBoolean away = new AtomicBoolean(true);
    remote.onWrite =
        (offset, length) -> {
          if (away.get()) {
            throw new IOException("away");
          }
        };
    try (Region region = managed(remote, 0)) {
      fill(region, 1);
      assertThatThrownBy(region::sync).hasMessageContaining("away");
      assertThat(remote.writes.get()).isBetween(2, TRIES_A_SECOND);
      away.set(false);
    }
  }
}
