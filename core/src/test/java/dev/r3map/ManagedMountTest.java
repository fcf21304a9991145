package dev.r3map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.store.ScriptedBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class ManagedMountTest {
  private static final int CHUNK = 16 << 10;
  private static final Duration LONG = Duration.ofSeconds(20);

  private static ManagedMount quiet(ScriptedBackend remote) {
    return ManagedMount.on(remote)
        .chunkSize(CHUNK)
        .pullWorkers(0)
        .pushInterval(Duration.ofHours(1));
  }

  private static byte[] read(Region region, long offset, int length) throws IOException {
    ByteBuffer dst = ByteBuffer.allocate(length);
    region.read(dst, offset);
    assertThat(dst.hasRemaining()).isFalse();
    return dst.array();
  }

  private static byte[] all(Region region) throws IOException {
    return read(region, 0, Math.toIntExact(region.size()));
  }

  private static void fill(Region region, int offset, int length, int value) throws IOException {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) value);
    region.write(ByteBuffer.wrap(bytes), offset);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4095, 4096, 4097, CHUNK - 1, CHUNK + 1, 5 * CHUNK, 5 * CHUNK + 5000})
  void pullsEverythingAndCountsItToTheByte(int size) throws Exception {
    ScriptedBackend remote = new ScriptedBackend(size);
    List<Long> local = Collections.synchronizedList(new ArrayList<>());
    try (Region region = ManagedMount.on(remote).chunkSize(CHUNK).onChunkLocal(local::add).open()) {
      region.awaitLocal(1, LONG);
      assertThat(region.progress().local()).isEqualTo(size);
      assertThat(region.progress().fractionLocal()).isEqualTo(1);
      int before = remote.reads.get();
      assertThat(all(region)).isEqualTo(remote.bytes);
      assertThat(remote.reads.get()).isEqualTo(before);
      int chunks = (size + CHUNK - 1) / CHUNK;
      Waiting.until(() -> local.size() >= chunks);
      assertThat(local).hasSize(chunks).doesNotHaveDuplicates();
    }
  }

  @Test
  void manyReadersOfOneChunkShareOneFetch() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4 * CHUNK);
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch answer = new CountDownLatch(1);
    remote.onRead =
        (offset, length) -> {
          asked.countDown();
          Waiting.forLatch(answer);
        };
    try (Region region = quiet(remote).open()) {
      List<CompletableFuture<byte[]>> readers = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        int at = i * 7;
        readers.add(Waiting.supply(() -> read(region, at, 100)));
      }
      asked.await();
      answer.countDown();
      for (int i = 0; i < 50; i++) {
        assertThat(readers.get(i).get())
            .isEqualTo(Arrays.copyOfRange(remote.bytes, i * 7, i * 7 + 100));
      }
      assertThat(remote.reads.get()).isEqualTo(1);
    }
  }

  @Test
  void aWholeBlockIsWrittenWithoutAFetchAndALatePullDoesNotOverwriteIt() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch answer = new CountDownLatch(1);
    remote.onRead =
        (offset, length) -> {
          asked.countDown();
          Waiting.forLatch(answer);
        };
    try (Region region = quiet(remote).open()) {
      CompletableFuture<byte[]> reader = Waiting.supply(() -> read(region, 0, CHUNK));
      asked.await();
      fill(region, 4096, 4096, 7);
      answer.countDown();
      byte[] expected = remote.bytes.clone();
      Arrays.fill(expected, 4096, 8192, (byte) 7);
      assertThat(reader.get()).isEqualTo(expected);
      assertThat(all(region)).isEqualTo(expected);
    }
  }

  @Test
  void aCutBlockIsFetchedBeforeItIsWritten() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(2 * CHUNK + 100);
    byte[] expected = remote.bytes.clone();
    Arrays.fill(expected, 10, CHUNK + 10, (byte) 1);
    Arrays.fill(expected, 2 * CHUNK + 50, 2 * CHUNK + 100, (byte) 2);
    try (Region region = quiet(remote).open()) {
      fill(region, 10, CHUNK, 1);
      fill(region, 2 * CHUNK + 50, 50, 2);
      assertThat(all(region)).isEqualTo(expected);
      region.sync();
      assertThat(remote.durable).isEqualTo(expected);
    }
  }

  @Test
  void theShortTailIsAWholeBlockToAWriteThatReachesTheEnd() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4097);
    try (Region region = quiet(remote).open()) {
      fill(region, 4096, 1, 9);
      assertThat(remote.reads.get()).isZero();
      assertThat(region.progress().local()).isEqualTo(1);
      assertThat(region.progress().dirty()).isEqualTo(1);
      region.sync();
      assertThat(remote.durable[4096]).isEqualTo((byte) 9);
      assertThat(region.progress().dirty()).isZero();
    }
  }

  @Test
  void aWriteDuringAPushIsPushedAgain() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    CountDownLatch pushing = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    try (Region region = quiet(remote).open()) {
      fill(region, 0, CHUNK, 1);
      remote.onWrite =
          (offset, length) -> {
            pushing.countDown();
            Waiting.forLatch(goOn);
          };
      CompletableFuture<Boolean> sync = Waiting.run(region::sync);
      pushing.await();
      fill(region, 0, CHUNK, 2);
      assertThat(region.progress().dirty()).isEqualTo(CHUNK);
      goOn.countDown();
      sync.get();
      region.sync();
      assertThat(remote.durable).containsOnly(2);
    }
  }

  @Test
  void syncWaitsForAPushThatIsUnderWayAndForItsFailure() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    CountDownLatch pushing = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    AtomicBoolean failed = new AtomicBoolean();
    try (Region region = quiet(remote).open()) {
      fill(region, 0, CHUNK, 1);
      remote.onWrite =
          (offset, length) -> {
            if (pushing.getCount() > 0) {
              pushing.countDown();
              Waiting.forLatch(goOn);
              failed.set(true);
              throw new PermanentIOException("refused once");
            }
          };
      CompletableFuture<Boolean> first = Waiting.run(region::sync);
      pushing.await();
      CompletableFuture<Boolean> second = Waiting.run(region::sync);
      goOn.countDown();
      assertThatThrownBy(first::get).hasMessageContaining("refused once");
      second.get();
      assertThat(failed).isTrue();
      assertThat(remote.durable).containsOnly(1);
    }
  }

  @Test
  void anOlderSnapshotCannotOvertakeANewerOne() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4096);
    CountDownLatch pushing = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    try (Region region = quiet(remote).open()) {
      fill(region, 0, 4096, 1);
      remote.onWrite =
          (offset, length) -> {
            if (pushing.getCount() > 0) {
              pushing.countDown();
              Waiting.forLatch(goOn);
            }
          };
      CompletableFuture<Boolean> first = Waiting.run(region::sync);
      pushing.await();
      fill(region, 0, 4096, 2);
      CompletableFuture<Boolean> second = Waiting.run(region::sync);
      assertThat(Waiting.until(() -> remote.writes.get() > 1, Duration.ofMillis(200))).isFalse();
      goOn.countDown();
      first.get();
      second.get();
      assertThat(remote.durable).containsOnly(2);
    }
  }

  @Test
  void syncCarriesToTheRemotesSyncAndThrowsWhenThatFails() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    try (Region region = quiet(remote).open()) {
      fill(region, 0, 4096, 1);
      AtomicBoolean broken = new AtomicBoolean(true);
      remote.onSync =
          (offset, length) -> {
            if (broken.get()) {
              throw new PermanentIOException("disk gone");
            }
          };
      assertThatThrownBy(region::sync).isInstanceOf(IOException.class).hasMessageContaining("disk");
      assertThat(region.progress().dirty()).isEqualTo(4096);
      broken.set(false);
      region.sync();
      assertThat(remote.writes.get()).isEqualTo(2);
      assertThat(region.progress().dirty()).isZero();
      assertThat(Arrays.copyOf(remote.durable, 4096)).containsOnly(1);
    }
  }

  @Test
  void aSyncWithNothingToPushDoesNotNeedTheRemote() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.onSync =
        (offset, length) -> {
          throw new IOException("away");
        };
    try (Region region = quiet(remote).open()) {
      region.sync();
      region.flush();
    }
    assertThat(remote.syncs.get()).isZero();
  }

  @Test
  void whatTheRemoteMayHaveLostBeforeItsSyncIsWrittenAgain() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    AtomicInteger left = new AtomicInteger(1);
    remote.onSync =
        (offset, length) -> {
          if (left.getAndDecrement() > 0) {
            Arrays.fill(remote.bytes, (byte) 0);
            throw new IOException("the server restarted");
          }
        };
    try (Region region = quiet(remote).open()) {
      fill(region, 0, CHUNK, 5);
      region.sync();
      assertThat(remote.durable).containsOnly(5);
    }
  }

  @Test
  void aFailedPushLosesNothingAndIsTriedAgain() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(8 * CHUNK);
    AtomicInteger failures = new AtomicInteger(5);
    remote.onWrite =
        (offset, length) -> {
          if (failures.getAndDecrement() > 0) {
            throw new IOException("hiccup");
          }
        };
    try (Region region = quiet(remote).open()) {
      fill(region, 0, 8 * CHUNK, 3);
      region.sync();
      assertThat(remote.durable).containsOnly(3);
    }
  }

  @Test
  void aBackendThatThrowsWhatItMustNotFailsOneCallAndTheNextSucceeds() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(2 * CHUNK);
    AtomicBoolean broken = new AtomicBoolean(true);
    ScriptedBackend.Script bug =
        (offset, length) -> {
          if (broken.get()) {
            throw new IllegalStateException("a bug");
          }
        };
    remote.onRead = bug;
    remote.onWrite = bug;
    try (Region region = quiet(remote).open()) {
      assertThatThrownBy(() -> read(region, 0, 10))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("a bug");
      fill(region, 0, 2 * CHUNK, 4);
      assertThatThrownBy(region::sync)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("a bug");
      assertThat(region.progress().dirty()).isEqualTo(2 * CHUNK);
      fill(region, 0, CHUNK, 5);
      broken.set(false);
      region.sync();
      assertThat(remote.durable).isEqualTo(all(region));
    }
  }

  @Test
  void aRemoteWithoutRoomIsAnErrorOfItsOwnKind() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    AtomicBoolean full = new AtomicBoolean(true);
    remote.onWrite =
        (offset, length) -> {
          if (full.get()) {
            throw new NoSpaceException("remote disk full");
          }
        };
    try (Region region = quiet(remote).ioTimeout(Duration.ofMillis(200)).open()) {
      fill(region, 0, 4096, 1);
      assertThatThrownBy(region::sync)
          .isInstanceOf(NoSpaceException.class)
          .hasMessageContaining("scripted:")
          .hasMessageContaining("offset=0")
          .hasMessageContaining("remote disk full");
      full.set(false);
    }
    assertThat(remote.durable[0]).isEqualTo((byte) 1);
  }

  @Test
  void anOutageIsWaitedFor() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4 * CHUNK);
    AtomicBoolean away = new AtomicBoolean();
    remote.onRead =
        (offset, length) -> {
          if (away.get()) {
            throw new IOException("connection refused");
          }
        };
    try (Region region = quiet(remote).open()) {
      read(region, 0, 10);
      away.set(true);
      CompletableFuture<byte[]> waiting = Waiting.supply(() -> read(region, CHUNK, 10));
      assertThat(read(region, 5, 100)).isEqualTo(Arrays.copyOfRange(remote.bytes, 5, 105));
      fill(region, 0, 4096, 4);
      int tries = remote.reads.get();
      Waiting.until(() -> remote.reads.get() > tries + 2);
      assertThat(waiting).isNotDone();
      away.set(false);
      assertThat(waiting.get()).isEqualTo(Arrays.copyOfRange(remote.bytes, CHUNK, CHUNK + 10));
    }
  }

  @Test
  void afterTheTimeoutOnlyTheReaderThatWaitedFailsAndTheNextOneTriesAgain() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4 * CHUNK);
    AtomicBoolean away = new AtomicBoolean();
    remote.onRead =
        (offset, length) -> {
          if (away.get()) {
            throw new IOException("connection refused");
          }
        };
    try (Region region = quiet(remote).ioTimeout(Duration.ofMillis(300)).open()) {
      read(region, 0, 10);
      away.set(true);
      assertThatThrownBy(() -> read(region, CHUNK, 10))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("scripted:")
          .hasMessageContaining("offset=" + CHUNK)
          .hasMessageContaining("connection refused");
      assertThat(read(region, 0, 10)).isEqualTo(Arrays.copyOf(remote.bytes, 10));
      away.set(false);
      assertThat(read(region, CHUNK, 10))
          .isEqualTo(Arrays.copyOfRange(remote.bytes, CHUNK, CHUNK + 10));
    }
  }

  @Test
  void aCallThatHangsFailsItsReaderAndLaterReadsGetACallOfTheirOwn() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    CountDownLatch never = new CountDownLatch(1);
    AtomicBoolean hang = new AtomicBoolean(true);
    remote.onRead =
        (offset, length) -> {
          while (hang.get() && never.getCount() > 0) {
            Waiting.forLatch(never);
          }
        };
    try (Region region = quiet(remote).ioTimeout(Duration.ofMillis(300)).open()) {
      assertThatThrownBy(() -> read(region, 0, 10)).isInstanceOf(IOException.class);
      hang.set(false);
      assertThat(read(region, 0, 10)).isEqualTo(Arrays.copyOf(remote.bytes, 10));
    } finally {
      never.countDown();
    }
  }

  @Test
  void aFailureThatCannotBeMendedIsNotTriedAgain() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.onRead =
        (offset, length) -> {
          throw new PermanentIOException("garbage from the server");
        };
    try (Region region = quiet(remote).open()) {
      assertThatThrownBy(() -> read(region, 0, 10))
          .isInstanceOf(PermanentIOException.class)
          .hasMessageContaining("garbage");
      assertThat(remote.reads.get()).isEqualTo(1);
    }
  }

  @Test
  void aChunkThatIsRefusedForGoodDoesNotEndThePullOfTheOthers() throws Exception {
    int chunks = 40;
    ScriptedBackend remote = new ScriptedBackend(chunks * CHUNK);
    remote.onRead =
        (offset, length) -> {
          if (offset / CHUNK == 3) {
            throw new PermanentIOException("bad sector");
          }
        };
    try (Region region = ManagedMount.on(remote).chunkSize(CHUNK).readOnly(true).open()) {
      region.awaitLocal((chunks - 1.0) / chunks, LONG);
      assertThatThrownBy(() -> region.awaitLocal(1, LONG))
          .isInstanceOf(PermanentIOException.class)
          .hasMessageContaining("bad sector");
      assertThat(region.progress().local()).isEqualTo((chunks - 1L) * CHUNK);
      remote.onRead = (offset, length) -> {};
      assertThat(all(region)).isEqualTo(remote.bytes);
      region.awaitLocal(1, LONG);
    }
  }

  @Test
  void aRemoteThatRefusesEverythingIsNotAskedForAllOfIt() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(1000 * CHUNK);
    remote.onRead =
        (offset, length) -> {
          throw new PermanentIOException("not yours");
        };
    try (Region region = ManagedMount.on(remote).chunkSize(CHUNK).readOnly(true).open()) {
      assertThatThrownBy(() -> region.awaitLocal(1, LONG)).hasMessageContaining("not yours");
      assertThat(remote.reads.get()).isLessThan(300);
    }
  }

  @Test
  void aFewBytesDoNotWaitForTheirChunkWhileThePullIsAtWork() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(8 * CHUNK + 100);
    CountDownLatch pulling = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    remote.onRead =
        (offset, length) -> {
          if (length == CHUNK) {
            pulling.countDown();
            Waiting.forLatch(goOn);
          }
        };
    try (Region region =
        ManagedMount.on(remote).chunkSize(CHUNK).pullWorkers(1).readOnly(true).open()) {
      pulling.await();
      assertThat(read(region, 3 * CHUNK + 5000, 4000))
          .isEqualTo(Arrays.copyOfRange(remote.bytes, 3 * CHUNK + 5000, 3 * CHUNK + 9000));
      assertThat(region.progress().local()).isEqualTo(8192);
      CompletableFuture<Boolean> both = Waiting.run(() -> read(region, 5 * CHUNK - 10, 20));
      goOn.countDown();
      both.get();
      region.awaitLocal(1, LONG);
      assertThat(all(region)).isEqualTo(remote.bytes);
    }
  }

  @Test
  void whatAFewBytesFailOfTheirChunkMakesGood() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(8 * CHUNK);
    CountDownLatch pulling = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    remote.onRead =
        (offset, length) -> {
          if (length < CHUNK) {
            goOn.countDown();
            throw new PermanentIOException("not so small");
          }
          pulling.countDown();
          Waiting.forLatch(goOn);
        };
    try (Region region =
        ManagedMount.on(remote).chunkSize(CHUNK).pullWorkers(1).readOnly(true).open()) {
      pulling.await();
      assertThat(read(region, 3 * CHUNK, 10))
          .isEqualTo(Arrays.copyOfRange(remote.bytes, 3 * CHUNK, 3 * CHUNK + 10));
    }
  }

  @Test
  void whatComesAfterTheCloseIsNoZeros() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    CountDownLatch reading = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    remote.onRead =
        (offset, length) -> {
          reading.countDown();
          boolean heedless = true;
          while (heedless) {
            try {
              Waiting.forLatch(goOn);
              heedless = false;
            } catch (IOException e) {
              // Interrupted.
            }
          }
        };
    Region region = quiet(remote).open();
    CompletableFuture<Boolean> reader = Waiting.run(() -> read(region, 0, 10));
    reading.await();
    try {
      region.close();
    } finally {
      goOn.countDown();
    }
    assertThatThrownBy(reader::get).hasCauseInstanceOf(IOException.class);
  }

  @Test
  void aLocalStoreWithoutRoomFailsTheReaderAtOnce() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    ScriptedBackend local = new ScriptedBackend(CHUNK);
    local.onWrite =
        (offset, length) -> {
          throw new NoSpaceException("disk full");
        };
    try (Region region = quiet(remote).local(local).open()) {
      assertThatThrownBy(() -> read(region, 0, 10)).isInstanceOf(NoSpaceException.class);
      assertThat(remote.reads.get()).isEqualTo(1);
    }
  }

  @Test
  void aReaderGoesOnWaitingWhenOneWithAnEarlierDeadlineGaveUp() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    AtomicBoolean away = new AtomicBoolean(true);
    remote.onRead =
        (offset, length) -> {
          if (away.get()) {
            throw new IOException("away");
          }
        };
    try (Region region = quiet(remote).open()) {
      CompletableFuture<Boolean> hasty =
          Waiting.supply(() -> {
            try {
              region.awaitLocal(0, 1, Duration.ofMillis(100));
              return true;
            } catch (TimeoutException | InterruptedException e) {
              return false;
            }
          });
      CompletableFuture<byte[]> patient = Waiting.supply(() -> read(region, 0, 10));
      assertThat(hasty.get()).isFalse();
      away.set(false);
      assertThat(patient.get()).isEqualTo(Arrays.copyOf(remote.bytes, 10));
    }
  }

  @Test
  void aBackendThatReadsShortIsAnErrorAndNeverOldBytes() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.shortBy = 1;
    try (Region region = quiet(remote).open()) {
      assertThatThrownBy(() -> read(region, 0, 10))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("short read");
    }
  }

  @Test
  void thePullGoesOnWhenManyChunksFail() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(64 * CHUNK);
    AtomicInteger failures = new AtomicInteger(200);
    remote.onRead =
        (offset, length) -> {
          if (failures.getAndDecrement() > 0) {
            throw new IOException("hiccup");
          }
        };
    try (Region region =
        ManagedMount.on(remote)
            .chunkSize(CHUNK)
            .pullWorkers(8)
            .ioTimeout(Duration.ofMillis(20))
            .open()) {
      region.awaitLocal(1, LONG);
      assertThat(all(region)).isEqualTo(remote.bytes);
    }
  }

  @Test
  void holesThatTheRemoteKnowsAreNotPulled() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(10 * CHUNK);
    Arrays.fill(remote.bytes, CHUNK + 5, 9 * CHUNK - 5, (byte) 0);
    remote.extents =
        List.of(
            Extent.data(0, CHUNK + 5),
            Extent.hole(CHUNK + 5, 8 * CHUNK - 10),
            Extent.data(9 * CHUNK - 5, CHUNK + 5));
    CountDownLatch holesFirst = new CountDownLatch(6);
    remote.onRead = (offset, length) -> Waiting.forLatch(holesFirst);
    try (Region region =
        ManagedMount.on(remote)
            .chunkSize(CHUNK)
            .pullWorkers(1)
            .onChunkLocal(offset -> holesFirst.countDown())
            .open()) {
      region.awaitLocal(1, LONG);
      assertThat(all(region)).isEqualTo(remote.bytes);
      assertThat(remote.reads.get()).isEqualTo(4);
    }
  }

  @Test
  void priorityDecidesWhatIsPulledFirst() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(10 * CHUNK);
    List<Long> order = Collections.synchronizedList(new ArrayList<>());
    remote.onRead = (offset, length) -> order.add(offset);
    try (Region region =
        ManagedMount.on(remote)
            .chunkSize(CHUNK)
            .pullWorkers(1)
            .pullPriority(offset -> offset)
            .open()) {
      region.awaitLocal(1, LONG);
    }
    assertThat(order).isSortedAccordingTo(Collections.reverseOrder());
  }

  @Test
  void pullFirstReturnsWhenThatMuchIsLocal() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(100 * CHUNK);
    try (Region region =
        ManagedMount.on(remote).chunkSize(CHUNK).pullWorkers(2).pullFirst(1).open()) {
      assertThat(region.progress().local()).isEqualTo(100L * CHUNK);
    }
  }

  @Test
  void pullFirstFailsWhenNothingComes() {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    remote.onRead =
        (offset, length) -> {
          throw new IOException("away");
        };
    assertThatThrownBy(() ->
            ManagedMount.on(remote)
                .chunkSize(CHUNK)
                .pullFirst(0.5)
                .ioTimeout(Duration.ofMillis(200))
                .open())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("no progress");
  }

  @Test
  void aRangeCanBeAwaitedAndThatTimesOut() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(10 * CHUNK);
    try (Region region = quiet(remote).open()) {
      region.awaitLocal(CHUNK + 1, CHUNK, LONG);
      assertThat(region.progress().local()).isEqualTo(2 * CHUNK);
      remote.onRead =
          (offset, length) -> {
            throw new IOException("away");
          };
      assertThatThrownBy(() -> region.awaitLocal(5 * CHUNK, 1, Duration.ofMillis(100)))
          .isInstanceOf(TimeoutException.class);
      assertThatThrownBy(() -> region.awaitLocal(1.0, Duration.ofMillis(100)))
          .isInstanceOf(TimeoutException.class);
    }
  }

  @Test
  void whoWaitsUntilEnoughIsLocalEndsWithTheRegion() throws Exception {
    Region region = quiet(new ScriptedBackend(2 * CHUNK)).open();
    CompletableFuture<Boolean> waiting =
        Waiting.supply(() -> {
          try {
            region.awaitLocal(1, Duration.ofDays(1));
            return true;
          } catch (InterruptedException | TimeoutException e) {
            throw new IOException(e);
          }
        });
    region.close();
    assertThatThrownBy(waiting::get).hasMessageContaining("closed");
  }

  @Test
  void pushesInTheBackground() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    try (Region region = quiet(remote).pushInterval(Duration.ofMillis(20)).open()) {
      fill(region, 0, CHUNK, 6);
      Waiting.until(() -> remote.durable[CHUNK - 1] == 6);
      Waiting.until(() -> region.progress().dirty() == 0);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aBackendThatThrowsWhatItMustNotDoesNotEndTheBackgroundPush(boolean inSync) throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    AtomicInteger bugs = new AtomicInteger(1);
    ScriptedBackend.Script once =
        (offset, length) -> {
          if (bugs.getAndDecrement() > 0) {
            throw new IllegalStateException("a bug");
          }
        };
    if (inSync) {
      remote.onSync = once;
    } else {
      remote.onWrite = once;
    }
    try (Region region = quiet(remote).pushInterval(Duration.ofMillis(20)).open()) {
      fill(region, 0, CHUNK, 6);
      Waiting.until(() -> remote.durable[CHUNK - 1] == 6);
      Waiting.until(() -> region.progress().dirty() == 0);
    }
  }

  @Test
  void withoutAPushIntervalNothingIsEverPushed() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    try (Region region = quiet(remote).pushInterval(Duration.ZERO).open()) {
      fill(region, 0, CHUNK, 6);
      region.sync();
      assertThat(read(region, 0, 1)).containsExactly(6);
    }
    assertThat(remote.writes.get()).isZero();
  }

  /** Mounts that push, and all ways not to. */
  enum Pushing {
    ON,
    NO_WORKERS,
    NO_INTERVAL,
    READ_ONLY;

    ManagedMount mount(ScriptedBackend remote) {
      ManagedMount mount = quiet(remote);
      return switch (this) {
        case ON -> mount;
        case NO_WORKERS -> mount.pushWorkers(0);
        case NO_INTERVAL -> mount.pushInterval(Duration.ZERO);
        case READ_ONLY -> mount.readOnly(true);
      };
    }
  }

  @ParameterizedTest
  @EnumSource
  void eachChunkIsAnnouncedOnceAlsoOneThatAWriteCompletes(Pushing pushing) throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4 * CHUNK + 100);
    List<Long> local = Collections.synchronizedList(new ArrayList<>());
    try (Region region = pushing.mount(remote).onChunkLocal(local::add).open()) {
      if (!region.readOnly()) {
        fill(region, CHUNK, CHUNK / 2, 1);
        assertThat(local).isEmpty();
        fill(region, CHUNK + CHUNK / 2, CHUNK / 2, 1);
        assertThat(local).containsExactly((long) CHUNK);
        fill(region, CHUNK, CHUNK, 2);
        fill(region, 2 * CHUNK + 10, 10, 1);
        assertThat(local).containsExactly((long) CHUNK, 2L * CHUNK);
        region.sync();
      }
      byte[] once = all(region);
      assertThat(all(region)).isEqualTo(once);
      assertThat(local)
          .containsExactlyInAnyOrder(0L, (long) CHUNK, 2L * CHUNK, 3L * CHUNK, 4L * CHUNK);
      assertThat(region.progress().fractionLocal()).isEqualTo(1);
    }
    assertThat(remote.writes.get() > 0).isEqualTo(pushing == Pushing.ON);
    assertThat(local).hasSize(5);
  }

  @Test
  void closePushesWhatIsLeft() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    try (Region region = quiet(remote).open()) {
      fill(region, 100, 100, 6);
    }
    assertThat(remote.durable[150]).isEqualTo((byte) 6);
  }

  @Test
  void closePushesAlsoOnAThreadThatWasInterruptedAndLeavesItSo() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(3 * CHUNK);
    Region region = quiet(remote).open();
    fill(region, 0, 3 * CHUNK, 6);
    Thread.currentThread().interrupt();
    region.close();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(remote.durable).containsOnly(6);
  }

  @Test
  void nothingCanBeWrittenOnceTheLastPushHasBegun() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4 * CHUNK);
    CompletableFuture<Boolean> late = new CompletableFuture<>();
    Region region = quiet(remote).open();
    remote.onWrite =
        (offset, length) -> {
          try {
            fill(region, 3 * CHUNK, CHUNK, 8);
            late.complete(true);
          } catch (IOException e) {
            late.completeExceptionally(e);
          }
        };
    fill(region, 0, CHUNK, 7);
    region.close();
    assertThatThrownBy(late::get).hasMessageContaining("closed");
    assertThat(Arrays.copyOf(remote.durable, CHUNK)).containsOnly(7);
  }

  @Test
  void theLastPushFetchesWhatIsMissingOfAChunkThatTheRemoteTakesOnlyAsAWhole() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4 * CHUNK);
    remote.geometry = new Geometry(CHUNK, 0, Integer.MAX_VALUE, false);
    byte[] expected = remote.bytes.clone();
    Arrays.fill(expected, 0, 4096, (byte) 7);
    Region region = quiet(remote).open();
    fill(region, 0, 4096, 7);
    region.close();
    assertThat(remote.durable).isEqualTo(expected);
  }

  @Test
  void aWriterThatWaitsForTheRemoteEndsWithTheRegion() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4 * CHUNK);
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch never = new CountDownLatch(1);
    remote.onRead =
        (offset, length) -> {
          asked.countDown();
          Waiting.forLatch(never);
        };
    Region region = quiet(remote).open();
    CompletableFuture<Boolean> writer = Waiting.run(() -> fill(region, 1, 1, 7));
    asked.await();
    region.close();
    assertThatThrownBy(writer::get).hasMessageContaining("closed");
    assertThat(remote.writes.get()).isZero();
  }

  @Test
  void closeSaysWhatItCouldNotPush() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    Region region = quiet(remote).ioTimeout(Duration.ofMillis(100)).open();
    fill(region, 0, 8192, 6);
    remote.onWrite =
        (offset, length) -> {
          throw new IOException("away");
        };
    assertThatThrownBy(region::close)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("8192 bytes")
        .hasMessageContaining("away");
    region.close();
    assertThatThrownBy(() -> read(region, 0, 1)).hasMessageContaining("closed");
  }

  @Test
  void closeEndsReadersThatWait() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    CountDownLatch asked = new CountDownLatch(1);
    remote.onRead =
        (offset, length) -> {
          asked.countDown();
          Waiting.forLatch(new CountDownLatch(1));
        };
    Region region = quiet(remote).open();
    CompletableFuture<byte[]> reader = Waiting.supply(() -> read(region, 0, 1));
    asked.await();
    region.close();
    assertThatThrownBy(() -> reader.get(5, TimeUnit.SECONDS)).hasCauseInstanceOf(IOException.class);
  }

  @Test
  void anInterruptFailsOnlyItsOwnReader() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch answer = new CountDownLatch(1);
    remote.onRead =
        (offset, length) -> {
          asked.countDown();
          Waiting.forLatch(answer);
        };
    try (Region region = quiet(remote).open()) {
      CompletableFuture<byte[]> other = Waiting.supply(() -> read(region, 0, 1));
      asked.await();
      CompletableFuture<Throwable> interrupted = new CompletableFuture<>();
      Thread thread =
          Thread.ofVirtual()
              .start(() -> {
                try {
                  read(region, 0, 1);
                } catch (IOException e) {
                  interrupted.complete(e);
                }
              });
      thread.interrupt();
      assertThat(interrupted.get()).isInstanceOf(IOException.class);
      answer.countDown();
      assertThat(other.get()).isEqualTo(Arrays.copyOf(remote.bytes, 1));
      fill(region, 0, 10, 1);
    }
  }

  @Test
  void hooksComeInTheirOrder() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(3 * CHUNK);
    List<String> calls = Collections.synchronizedList(new ArrayList<>());
    Region region =
        quiet(remote)
            .onBeforeSync(() -> calls.add("before sync"))
            .onAfterSync(offsets -> calls.add("after sync " + Arrays.toString(offsets)))
            .onBeforeClose(() -> calls.add("before close"))
            .open();
    fill(region, 2 * CHUNK, 10, 1);
    region.sync();
    region.close();
    assertThat(calls)
        .containsExactly(
            "before sync",
            "after sync [" + 2 * CHUNK + "]",
            "before close",
            "before sync",
            "after sync []");
  }

  @Test
  void whatIsFlushedBeforeTheLastSyncIsPushedByClose() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(3 * CHUNK);
    List<Region> opened = new ArrayList<>();
    List<long[]> pushed = new ArrayList<>();
    Region region =
        quiet(remote)
            .onBeforeSync(() -> {
              try {
                fill(opened.getFirst(), CHUNK, CHUNK, 7);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            })
            .onAfterSync(pushed::add)
            .open();
    opened.add(region);
    region.close();
    assertThat(pushed).containsExactly(new long[] {CHUNK});
    assertThat(Arrays.copyOfRange(remote.durable, CHUNK, 2 * CHUNK)).containsOnly(7);
  }

  @Test
  void aHookThatFailsBeforeTheLastSyncFailsTheCloseButLosesNothing() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    Region region =
        quiet(remote)
            .onBeforeSync(() -> {
              throw new IllegalStateException("the database does not answer");
            })
            .open();
    fill(region, 0, CHUNK, 7);
    assertThatThrownBy(region::close)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("the database does not answer");
    assertThat(remote.durable).containsOnly(7);
  }

  @Test
  void aCloseThatDoesNotPushIsNoSync() throws Exception {
    List<String> calls = new ArrayList<>();
    Region region =
        quiet(new ScriptedBackend(CHUNK))
            .pushInterval(Duration.ZERO)
            .onBeforeSync(() -> calls.add("before sync"))
            .onAfterSync(offsets -> calls.add("after sync"))
            .onBeforeClose(() -> calls.add("before close"))
            .open();
    region.close();
    assertThat(calls).containsExactly("before close");
  }

  @Test
  void readOnlyRefusesWritesAndPushesNothing() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(CHUNK);
    try (Region region = quiet(remote).readOnly(true).open()) {
      assertThat(region.readOnly()).isTrue();
      assertThatThrownBy(() -> fill(region, 0, 1, 1)).isInstanceOf(ReadOnlyException.class);
      region.sync();
      region.flush();
    }
    assertThat(remote.syncs.get()).isZero();
  }

  @Test
  void outsideTheRegionIsAnErrorBeforeAnyWork() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(100);
    try (Region region = quiet(remote).open()) {
      for (long[] bad : new long[][] {{-1, 1}, {100, 1}, {0, 101}, {Long.MAX_VALUE, 1}}) {
        assertThatThrownBy(() -> read(region, bad[0], (int) bad[1]))
            .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> region.write(ByteBuffer.allocate((int) bad[1]), bad[0]))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
      read(region, 100, 0);
      assertThat(remote.reads.get()).isZero();
    }
  }

  @Test
  void anyBackendCanBeTheLocalStore() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(5 * CHUNK + 7);
    Arrays.fill(remote.bytes, CHUNK, 2 * CHUNK, (byte) 0);
    ScriptedBackend local = new ScriptedBackend(5 * CHUNK + 7);
    try (Region region = quiet(remote).pullWorkers(2).local(local).open()) {
      region.awaitLocal(1, LONG);
      fill(region, 50, 5000, 8);
      byte[] expected = remote.bytes.clone();
      Arrays.fill(expected, 50, 5050, (byte) 8);
      assertThat(all(region)).isEqualTo(expected);
      assertThat(local.bytes).isEqualTo(expected);
      region.sync();
      assertThat(remote.durable).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {-4096, 1, 4095, 4097, 3 << 12, 1 << 26})
  void badChunkSizesAreRefused(int size) {
    assertThatThrownBy(() -> quiet(new ScriptedBackend(10)).chunkSize(size).open())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(String.valueOf(size));
  }
}
