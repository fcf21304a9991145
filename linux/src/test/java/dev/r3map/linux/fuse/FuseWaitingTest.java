package dev.r3map.linux.fuse;

import static dev.r3map.linux.fuse.Program.crc;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.Device;
import dev.r3map.linux.Fuse;
import dev.r3map.linux.FuseOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Requests that wait for the remote. */
@ExtendWith(Mounts.class)
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseWaitingTest {
  private static final int MIB = 1 << 20;

  @TempDir Path dir;

  private Path path() {
    return dir.resolve("file");
  }

  @Test
  void moreReadsThanTheKernelKeepsInTheBackgroundAllGetTheirBytes() throws Exception {
    AtomicInteger atOnce = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    try (TestRegion region = TestRegion.remote(200 * MIB);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      CountDownLatch enough = new CountDownLatch(50);
      region.onFetch =
          chunk -> {
            most.accumulateAndGet(atOnce.incrementAndGet(), Math::max);
            enough.countDown();
            awaitQuietly(enough);
            atOnce.decrementAndGet();
          };
      program.ok("open r " + device.path());
      assertThat(program.ok("together 200 " + MIB + " 4096")).isEqualTo("200");
      assertThat(most.get()).isBetween(50, 200);
    }
  }

  @Test
  void readsPastTheCacheAllWaitAtTheSameTime() throws Exception {
    int readers = 200;
    CountDownLatch all = new CountDownLatch(readers);
    try (TestRegion region = TestRegion.remote(200 * MIB);
        Device device = Fuse.attach(region, path(), FuseOptions.DEFAULT.withDirectIo(true));
        Program program = Program.start()) {
      region.onFetch =
          chunk -> {
            all.countDown();
            awaitQuietly(all);
          };
      program.ok("open r " + device.path());
      assertThat(program.ok("together " + readers + " " + MIB + " 4096")).isEqualTo("" + readers);
      assertThat(all.getCount()).isZero();
    }
  }

  @Test
  void moreReadsThanThereIsMemoryForWaitTheirTurn() throws Exception {
    int readers = RequestPool.MOST + 50;
    try (TestRegion region = TestRegion.direct(readers * 4096L);
        Device device = Fuse.attach(region, path(), FuseOptions.DEFAULT.withDirectIo(true));
        Program program = Program.start()) {
      CountDownLatch nearlyAll = new CountDownLatch(RequestPool.MOST - 2);
      region.onFetch =
          chunk -> {
            nearlyAll.countDown();
            awaitQuietly(nearlyAll);
          };
      program.ok("open rw " + device.path());
      assertThat(program.ok("together " + readers + " 4096 4096")).isEqualTo("0");
      assertThat(nearlyAll.getCount()).isZero();
      program.ok("write 0 4096 1");
    }
  }

  @Test
  void whatIsLocalIsServedWhileAnyNumberOfReadsWait() throws Exception {
    int readers = 2 * RequestPool.MOST;
    CountDownLatch asked = new CountDownLatch(readers);
    CountDownLatch away = new CountDownLatch(1);
    try (TestRegion region = TestRegion.remote((readers + 1) * (long) TestRegion.CHUNK);
        Device device = Fuse.attach(region, path(), FuseOptions.DEFAULT.withDirectIo(true));
        Program stuck = Program.start();
        Program lucky = Program.start()) {
      long last = readers * (long) TestRegion.CHUNK;
      region.load(last, 1);
      region.onFetch =
          chunk -> {
            asked.countDown();
            awaitQuietly(away);
          };
      stuck.ok("open r " + device.path());
      stuck.begin("together " + readers + " " + TestRegion.CHUNK + " 4096");
      awaitQuietly(asked);
      assertThat(asked.getCount()).isZero();
      lucky.ok("open rw " + device.path());
      assertThat(lucky.ok("read " + last + " 100")).isEqualTo(crc(TestRegion.pattern(last, 100)));
      lucky.ok("write " + last + " 4096 1");
      away.countDown();
      assertThat(stuck.answer()).isEqualTo("ok " + readers);
    }
  }

  @Test
  void whatIsLocalIsServedWhileWritesWaitForTheRestOfTheirBlocks() throws Exception {
    int writers = 32;
    CountDownLatch asked = new CountDownLatch(writers);
    CountDownLatch away = new CountDownLatch(1);
    // Past the cache, for otherwise the kernel itself lets only one write into a file at a time.
    try (TestRegion region = TestRegion.remote((writers + 1) * (long) TestRegion.CHUNK);
        Device device = Fuse.attach(region, path(), FuseOptions.DEFAULT.withDirectIo(true));
        Program stuck = Program.start();
        Program lucky = Program.start()) {
      long last = writers * (long) TestRegion.CHUNK;
      region.load(last, 1);
      region.onFetch =
          chunk -> {
            asked.countDown();
            awaitQuietly(away);
          };
      stuck.ok("open rw " + device.path());
      stuck.begin("writetogether " + writers + " " + TestRegion.CHUNK + " 100");
      awaitQuietly(asked);
      assertThat(asked.getCount()).isZero();
      lucky.ok("open rw " + device.path());
      assertThat(lucky.ok("read " + last + " 100")).isEqualTo(crc(TestRegion.pattern(last, 100)));
      lucky.ok("write " + last + " 100 1");
      away.countDown();
      assertThat(stuck.answer()).isEqualTo("ok " + writers);
    }
  }

  @Test
  void whatIsLocalIsServedWhileTheRemoteIsAway() throws Exception {
    try (TestRegion region = TestRegion.remote(2 * MIB);
        Device device = Fuse.attach(region, path());
        Program stuck = Program.start();
        Program lucky = Program.start()) {
      region.load(MIB, MIB);
      CountDownLatch away = new CountDownLatch(1);
      CountDownLatch asked = new CountDownLatch(1);
      region.onFetch =
          chunk -> {
            asked.countDown();
            awaitQuietly(away);
          };
      stuck.ok("open r " + device.path());
      stuck.begin("read 0 100");
      awaitQuietly(asked);
      lucky.ok("open rw " + device.path());
      assertThat(lucky.ok("read " + MIB + " " + MIB)).isEqualTo(crc(TestRegion.pattern(MIB, MIB)));
      lucky.ok("write " + MIB + " 4096 1");
      lucky.ok("sync");
      away.countDown();
      assertThat(stuck.answer()).isEqualTo("ok " + crc(TestRegion.pattern(0, 100)));
    }
  }

  @Test
  void aWriteThatMustFetchFirstWaitsAndIsWhole() throws Exception {
    try (TestRegion region = TestRegion.remote(4 * MIB);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      CountDownLatch fetched = new CountDownLatch(1);
      AtomicInteger fetches = new AtomicInteger();
      region.onFetch =
          chunk -> {
            fetches.incrementAndGet();
            fetched.countDown();
          };
      program.ok("open rw " + device.path());
      program.ok("write 100 " + 2 * MIB + " 1");
      assertThat(fetches.get()).isGreaterThan(1);
      byte[] expected = TestRegion.pattern(0, 4 * MIB);
      java.util.Arrays.fill(expected, 100, 100 + 2 * MIB, (byte) 1);
      ByteBuffer all = ByteBuffer.allocate(4 * MIB);
      region.read(all, 0);
      assertThat(all.array()).isEqualTo(expected);
    }
  }

  @Test
  void aReadThatIsNotAnsweredInTimeFails() throws Exception {
    Duration limit = Duration.ofMillis(500);
    try (TestRegion region = TestRegion.remote(MIB);
        Device device = Fuse.attach(region, path(), FuseOptions.DEFAULT.withRequestTimeout(limit));
        Program program = Program.start()) {
      CountDownLatch away = new CountDownLatch(1);
      region.onFetch = chunk -> awaitQuietly(away);
      program.ok("open r " + device.path());
      long begin = System.nanoTime();
      assertThat(program.tell("read 0 100")).contains("Input/output error");
      assertThat(Duration.ofNanos(System.nanoTime() - begin)).isGreaterThan(limit);
      away.countDown();
      region.onFetch = chunk -> {};
      assertThat(program.ok("read 0 100")).isEqualTo(crc(TestRegion.pattern(0, 100)));
    }
  }

  @Test
  void aFlushMayTakeLongerThanARead() throws Exception {
    Duration limit = Duration.ofMillis(200);
    try (TestRegion region = TestRegion.local(MIB);
        Device device =
            Fuse.attach(
                region,
                path(),
                FuseOptions.DEFAULT
                    .withRequestTimeout(limit)
                    .withFlushTimeout(Duration.ofSeconds(2)));
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      CountDownLatch never = new CountDownLatch(1);
      region.onFlush = nothing -> awaitFor(never, limit.multipliedBy(4));
      program.ok("sync");
      region.onFlush = nothing -> awaitFor(never, Duration.ofSeconds(30));
      assertThat(program.tell("sync")).contains("Input/output error");
    }
  }

  @Test
  void aProgramThatIsKilledNeedNotWaitForItsFlush() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      CountDownLatch flushing = new CountDownLatch(1);
      CountDownLatch flushed = new CountDownLatch(1);
      region.onFlush =
          nothing -> {
            flushing.countDown();
            awaitQuietly(flushed);
          };
      program.ok("open rw " + device.path());
      program.begin("sync");
      awaitQuietly(flushing);
      program.process().destroyForcibly();
      assertThat(program.process().waitFor(5, TimeUnit.SECONDS)).isTrue();
      flushed.countDown();
      assertThat(Files.size(path())).isEqualTo(MIB);
    }
  }

  @Test
  void virtualThreadsOfThisJvmThatHoldEveryCarrierGetErrorsAndNotTheJvmStuck() throws Exception {
    int readers = 2 * Runtime.getRuntime().availableProcessors();
    try (TestRegion region = TestRegion.remote(readers * (long) MIB);
        Device device =
            Fuse.attach(
                region, path(), FuseOptions.DEFAULT.withRequestTimeout(Duration.ofMillis(500)));
        FileChannel file = FileChannel.open(device.path(), StandardOpenOption.READ)) {
      AtomicInteger ended = new AtomicInteger();
      Thread[] threads = new Thread[readers];
      for (int i = 0; i < readers; i++) {
        long offset = (long) i * MIB;
        threads[i] =
            Thread.startVirtualThread(() -> {
              try {
                ByteBuffer bytes = ByteBuffer.allocate(1000);
                file.read(bytes, offset);
                if (crc(bytes.array()).equals(crc(TestRegion.pattern(offset, 1000)))) {
                  ended.incrementAndGet();
                }
              } catch (IOException e) {
                ended.incrementAndGet();
              }
            });
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(ended).hasValue(readers);
    }
  }

  private static void awaitQuietly(CountDownLatch latch) throws IOException {
    awaitFor(latch, Duration.ofSeconds(30));
  }

  private static void awaitFor(CountDownLatch latch, Duration limit) throws IOException {
    try {
      boolean ignored = latch.await(limit.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      throw new IOException("interrupted", e);
    }
  }
}
