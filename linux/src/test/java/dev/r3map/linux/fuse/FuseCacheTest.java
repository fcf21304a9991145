package dev.r3map.linux.fuse;

import static dev.r3map.linux.fuse.Program.crc;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.linux.FuseOptions;
import dev.r3map.linux.ffi.StatCalls;
import dev.r3map.spi.FrontendRegion.Frontend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What the kernel keeps, forgets, is given and reads by itself. */
@ExtendWith(Mounts.class)
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseCacheTest {
  private static final int MIB = 1 << 20;
  private static final FuseOptions NO_PASSTHROUGH = FuseOptions.DEFAULT.withPassthrough(false);

  @TempDir Path dir;

  private Path path() {
    return dir.resolve("file");
  }

  @Test
  void whatWasReadIsKeptWhenTheFileIsOpenedAgain() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT);
        Program program = Program.start()) {
      program.ok("open r " + path());
      program.ok("read 0 " + MIB);
      long reads = device.reads();
      assertThat(reads).isPositive();
      program.ok("close");
      program.ok("open r " + path());
      program.ok("read 0 " + MIB);
      assertThat(device.reads()).isEqualTo(reads);
    }
  }

  @Test
  void theKernelReadsAheadByWholeRequests() throws Exception {
    try (TestRegion region = TestRegion.local(64 * MIB);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT)) {
      assertThat(Leaks.run("sh", "-c", "test $(id -u) = 0")).as("needs root").isZero();
      Leaks.run("dd", "status=none", "bs=1M", "if=" + path(), "of=/dev/null");
      assertThat(device.reads()).isLessThan(80);
    }
  }

  @Test
  void whatIsWrittenThroughAnotherDoorIsSeenAtOnce() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT);
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      program.ok("mapwrite 0 " + MIB);
      byte[] expected = new byte[MIB];
      assertThat(program.ok("get 0 " + MIB)).isEqualTo(crc(expected));
      for (int i = 0; i < 200; i++) {
        int offset = i * 5003;
        region.write(ByteBuffer.wrap(new byte[] {1, 2, 3}), offset);
        System.arraycopy(new byte[] {1, 2, 3}, 0, expected, offset, 3);
        assertThat(program.ok("get " + offset + " 3")).isEqualTo(crc(new byte[] {1, 2, 3}));
      }
      assertThat(program.ok("read 0 " + MIB)).isEqualTo(crc(expected));
    }
  }

  @Test
  void thisJvmSeesWhatAProgramStoredIntoAMappingAndLeavesTheCacheAlone() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT);
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      program.ok("mapwrite 0 " + MIB);
      program.ok("get 0 " + MIB);
      program.ok("put 0 1 7");
      long reads = device.reads();
      try (FileChannel file =
          FileChannel.open(device.path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        ByteBuffer bytes = ByteBuffer.allocate(1);
        file.read(bytes, 0);
        assertThat(bytes.array()).containsExactly(7);
        assertThat(program.ok("get 4096 4096")).isEqualTo(crc(new byte[4096]));
        assertThat(device.reads()).isEqualTo(reads + 1);
        file.write(ByteBuffer.wrap(new byte[] {8}), 4096);
        assertThat(program.ok("get 4096 1")).isEqualTo(crc(new byte[] {8}));
      }
    }
  }

  @Test
  void whatAProgramStoredIntoAMappingSurvivesAWriteBesideItThroughAnotherDoor() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT);
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      program.ok("mapwrite 0 " + MIB);
      program.ok("put 0 100 7");
      region.write(ByteBuffer.wrap(new byte[] {1}), 2 * 4096);
      byte[] sevens = new byte[100];
      Arrays.fill(sevens, (byte) 7);
      assertThat(program.ok("get 0 100")).isEqualTo(crc(sevens));
      program.ok("msync");
      ByteBuffer stored = ByteBuffer.allocate(100);
      region.read(stored, 0);
      assertThat(stored.array()).isEqualTo(sevens);
    }
  }

  @Test
  void whatAnotherDoorWroteSurvivesTheWritebackOfThePageAroundIt() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT);
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      program.ok("mapwrite 0 " + MIB);
      for (int page = 0; page < 100; page++) {
        int offset = page * 4096;
        program.ok("put " + offset + " 10 7");
        region.write(ByteBuffer.wrap(new byte[] {1, 2, 3}), offset + 5);
        byte[] expected = {7, 7, 7, 7, 7, 1, 2, 3, 7, 7};
        assertThat(program.ok("get " + offset + " 10")).isEqualTo(crc(expected));
        ByteBuffer stored = ByteBuffer.allocate(10);
        region.read(stored, offset);
        assertThat(stored.array()).isEqualTo(expected);
      }
    }
  }

  @Test
  void aWriteThroughAnotherDoorDoesNotWaitForeverForAReadThatDoes() throws Exception {
    Duration limit = Duration.ofMillis(500);
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch away = new CountDownLatch(1);
    try (TestRegion region = TestRegion.remote(MIB);
        FuseDevice device =
            FuseDevice.open(region, path(), FuseOptions.DEFAULT.withRequestTimeout(limit));
        Program program = Program.start()) {
      region.onFetch =
          chunk -> {
            asked.countDown();
            awaitQuietly(away);
          };
      program.ok("open r " + device.path());
      program.begin("read 0 100");
      awaitQuietly(asked);
      for (Frontend frontend : region.frontends()) {
        frontend.written(0, 100);
      }
      away.countDown();
      program.answer();
    }
  }

  @Test
  void nothingIsForgottenThatTheKernelNeverHad() throws Exception {
    try (TestRegion region = TestRegion.local(64 * MIB);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT)) {
      long begin = System.nanoTime();
      for (int i = 0; i < 1000; i++) {
        device.written(i * 4096L, 4096);
      }
      assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(1));
    }
  }

  @Test
  void whatIsPulledIsReadWithoutAsking() throws Exception {
    int size = 4 * MIB + 5;
    try (TestRegion region = TestRegion.remoteReadOnly(size);
        FuseDevice device = FuseDevice.open(region, path(), NO_PASSTHROUGH);
        Program program = Program.start()) {
      region.pullAll();
      Leaks.await("everything is pushed", () -> device.pushed() >= size);
      program.ok("open r " + device.path());
      assertThat(program.ok("read 0 " + size)).isEqualTo(crc(TestRegion.pattern(0, size)));
      program.ok("map 0 " + size);
      assertThat(program.ok("get 0 " + size)).isEqualTo(crc(TestRegion.pattern(0, size)));
      assertThat(device.reads()).isZero();
    }
  }

  @Test
  void theFileHasItsWholeSizeHoweverSoonChunksCome() throws Exception {
    long size = 64L * MIB;
    for (int i = 0; i < 10; i++) {
      try (TestRegion region = TestRegion.localReadOnly(size, 0)) {
        Thread pull = Thread.ofPlatform().unstarted(() -> pullPageByPage(region));
        FuseDevice.Steps pulling =
            step -> {
              if (step.equals("receivers")) {
                pull.start();
              }
            };
        try (FuseDevice device = FuseDevice.open(region, path(), NO_PASSTHROUGH, pulling)) {
          assertThat(StatCalls.cachedStatus(device.path()).size()).isEqualTo(size);
        } finally {
          pull.interrupt();
          pull.join();
        }
      }
    }
  }

  private static void pullPageByPage(TestRegion region) {
    for (long at = 0; at < TestRegion.CHUNK && !Thread.interrupted(); at += 4096) {
      long offset = at;
      region.frontends().forEach(frontend -> frontend.pulled(offset, 4096));
    }
  }

  @Test
  void whatIsReadWhileItIsPulledIsRight() throws Exception {
    int size = 32 * MIB;
    try (TestRegion region = TestRegion.remoteReadOnly(size);
        FuseDevice device = FuseDevice.open(region, path(), NO_PASSTHROUGH);
        Program program = Program.start();
        Program another = Program.start()) {
      program.ok("open r " + device.path());
      another.ok("open r " + device.path());
      another.ok("map 0 " + size);
      program.begin("read 0 " + size);
      another.begin("get 0 " + size);
      region.pullAll();
      String expected = "ok " + crc(TestRegion.pattern(0, size));
      assertThat(program.answer()).isEqualTo(expected);
      assertThat(another.answer()).isEqualTo(expected);
    }
  }

  @Test
  void nothingIsPushedIntoAMountThatCanBeWritten() throws Exception {
    try (TestRegion region = TestRegion.remote(MIB);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT);
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      program.ok("mapwrite 0 " + MIB);
      program.ok("put 0 4096 9");
      region.pullAll();
      assertThat(device.pushed()).isZero();
      byte[] nines = new byte[4096];
      Arrays.fill(nines, (byte) 9);
      assertThat(program.ok("get 0 4096")).isEqualTo(crc(nines));
    }
  }

  @Test
  void holesAreNeitherPushedNorReadFromTheMapping() throws Exception {
    long size = 32L * MIB;
    try (TestRegion region = TestRegion.localReadOnly(size, 3L * TestRegion.CHUNK);
        FuseDevice device = FuseDevice.open(region, path(), NO_PASSTHROUGH);
        Program program = Program.start()) {
      region.frontends().forEach(frontend -> frontend.pulled(0, size));
      Leaks.await("the chunk is pushed", () -> device.pushed() == TestRegion.CHUNK);
      program.ok("open r " + device.path());
      byte[] expected = new byte[MIB];
      byte[] chunk = TestRegion.pattern(3L * TestRegion.CHUNK, TestRegion.CHUNK);
      System.arraycopy(chunk, 0, expected, 3 * TestRegion.CHUNK, chunk.length);
      assertThat(program.ok("read 0 " + MIB)).isEqualTo(crc(expected));
      program.ok("read 0 " + size);
      assertThat(region.allocated()).isEqualTo(TestRegion.CHUNK);
    }
  }

  @Test
  void theKernelReadsByItselfWhatIsWhollyLocalAndReadOnly() throws Exception {
    int size = 4 * MIB + 5;
    try (TestRegion region = TestRegion.remoteReadOnly(size);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT.withPush(false));
        Program early = Program.start();
        Program late = Program.start()) {
      early.ok("open r " + device.path());
      early.ok("read 0 100");
      early.ok("map 0 100");
      region.pullAll();
      long reads = device.reads();

      late.ok("open r " + device.path());
      assertThat(late.ok("read 0 " + size)).isEqualTo(crc(TestRegion.pattern(0, size)));
      assertThat(device.reads()).as("while a mapping lives").isGreaterThan(reads);
      late.ok("close");
      early.ok("close");
      early.ok("unmap");

      requirePassthrough(device, late);
      reads = device.reads();
      late.ok("open r " + device.path());
      early.ok("open r " + device.path());
      assertThat(late.ok("read 0 " + size)).isEqualTo(crc(TestRegion.pattern(0, size)));
      assertThat(early.ok("read 0 " + size)).isEqualTo(crc(TestRegion.pattern(0, size)));
      early.ok("map 0 " + size);
      assertThat(early.ok("get 0 " + size)).isEqualTo(crc(TestRegion.pattern(0, size)));
      assertThat(device.reads()).isEqualTo(reads);
    }
  }

  @Test
  void passthroughWorksAfterAPush() throws Exception {
    int size = 4 * MIB;
    try (TestRegion region = TestRegion.remoteReadOnly(size);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT);
        Program program = Program.start()) {
      region.pullAll();
      Leaks.await("everything is pushed", () -> device.pushed() >= size);
      requirePassthrough(device, program);
      for (int i = 0; i < 3; i++) {
        program.ok("open r " + device.path());
        program.ok("map 0 " + size);
        assertThat(program.ok("get 0 " + size)).isEqualTo(crc(TestRegion.pattern(0, size)));
        assertThat(program.ok("read 0 " + size)).isEqualTo(crc(TestRegion.pattern(0, size)));
        program.ok("close");
        program.ok("unmap");
      }
      assertThat(device.reads()).isZero();
    }
  }

  @Test
  void thisJvmMayMapWhatTheKernelReadsByItself() throws Exception {
    int size = MIB;
    try (TestRegion region = TestRegion.localReadOnly(size, 0);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT);
        Program program = Program.start()) {
      requirePassthrough(device, program);
      try (var file = FileChannel.open(device.path())) {
        ByteBuffer map = file.map(MapMode.READ_ONLY, 0, size);
        byte[] bytes = new byte[100];
        map.get(bytes);
        assertThat(bytes).isEqualTo(TestRegion.pattern(0, 100));
      }
      assertThat(device.reads()).isZero();
    }
  }

  @Test
  void aDirectMountIsNotCached() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        FuseDevice device =
            FuseDevice.open(region, path(), FuseOptions.DEFAULT.withDirectIo(true));
        Program program = Program.start()) {
      program.ok("open r " + device.path());
      program.ok("read 0 " + MIB);
      long reads = device.reads();
      assertThat(reads).isPositive();
      program.ok("read 0 " + MIB);
      assertThat(device.reads()).isEqualTo(2 * reads);
      assertThat(program.tell("map 0 4096")).contains("No such device");
    }
  }

  private static void requirePassthrough(FuseDevice device, Program program) throws IOException {
    program.ok("open r " + device.path());
    program.ok("close");
    assertThat(device.passesThrough()).as("needs root and Linux 6.9").isTrue();
  }

  private static void awaitQuietly(CountDownLatch latch) throws IOException {
    try {
      boolean ignored = latch.await(30, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      throw new IOException("interrupted", e);
    }
  }
}
