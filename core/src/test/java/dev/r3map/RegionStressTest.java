package dev.r3map;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.store.ScriptedBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Writers whose bytes share blocks and chunks, while everything is pulled, pushed and synced over a
 * remote that is slow and fails now and then. Each writer checks what it reads of its own bytes; in
 * the end the remote must hold them all.
 */
@Timeout(60)
class RegionStressTest {
  private static final int WRITERS = 4;

  /** Writer w owns the bytes of every stripe whose number is w modulo the writers. */
  private static final int STRIPE = 9000;

  @ParameterizedTest
  @CsvSource({"1, 4096, 4000001", "2, 16384, 9000001", "3, 65536, 70000", "4, 262144, 30000000"})
  void nothingIsLostOrMixedUp(long seed, int chunk, int size) throws Exception {
    ScriptedBackend remote = new ScriptedBackend(size);
    remote.onRead = RegionStressTest::hiccup;
    // Old bytes that are long under way: the time in which a write may come first.
    remote.afterRead = (offset, length) -> LockSupport.parkNanos(1_000_000);
    remote.onWrite = RegionStressTest::hiccup;
    remote.onSync = RegionStressTest::hiccup;
    byte[] model = remote.bytes.clone();
    try (Region region =
        ManagedMount.on(remote)
            .chunkSize(chunk)
            .pullWorkers(2)
            .pushInterval(Duration.ofMillis(5))
            .open()) {
      List<CompletableFuture<Boolean>> writers = new ArrayList<>();
      for (int w = 0; w < WRITERS; w++) {
        int writer = w;
        writers.add(
            Waiting.run(() -> write(region, model, writer, new Random(seed * 100 + writer))));
      }
      for (CompletableFuture<Boolean> writer : writers) {
        writer.get();
      }
      region.sync();
      assertThat(region.progress().dirty()).isZero();
      assertThat(Arrays.mismatch(remote.durable, model)).isEqualTo(-1);
      ByteBuffer all = ByteBuffer.allocateDirect(size);
      region.read(all, 0);
      assertThat(all.flip().mismatch(ByteBuffer.wrap(model))).isEqualTo(-1);
    }
  }

  private static void hiccup(long offset, long length) throws IOException {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    LockSupport.parkNanos(random.nextInt(200_000));
    if (random.nextInt(20) == 0) {
      throw new IOException("hiccup");
    }
  }

  private static void write(Region region, byte[] model, int writer, Random random)
      throws IOException {
    int stripes = model.length / STRIPE;
    for (int i = 0; i < 1500; i++) {
      int stripe = random.nextInt(stripes / WRITERS) * WRITERS + writer;
      int from = stripe * STRIPE + random.nextInt(STRIPE);
      int length = 1 + random.nextInt((stripe + 1) * STRIPE - from);
      if (random.nextInt(3) == 0) {
        byte[] got = new byte[length];
        region.read(ByteBuffer.wrap(got), from);
        assertThat(got).isEqualTo(Arrays.copyOfRange(model, from, from + length));
      } else {
        byte[] fresh = new byte[length];
        random.nextBytes(fresh);
        System.arraycopy(fresh, 0, model, from, length);
        region.write(ByteBuffer.wrap(fresh), from);
      }
      if (random.nextInt(100) == 0) {
        region.sync();
      }
    }
  }
}
