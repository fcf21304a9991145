package dev.r3map.linux.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Device;
import dev.r3map.linux.Fuse;
import dev.r3map.linux.FuseOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The end of a mount, the failure to begin one, and what a dead one leaves. */
@ExtendWith(Mounts.class)
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseCloseTest {
  private static final int MIB = 1 << 20;

  @TempDir Path dir;

  private Path path() {
    return dir.resolve("file");
  }

  @Test
  void closesTwice() throws Exception {
    try (TestRegion region = TestRegion.local(MIB)) {
      Device device = Fuse.attach(region, path());
      device.close();
      device.close();
      assertThat(region.frontends()).isEmpty();
      assertThat(Leaks.mounts(dir)).isEmpty();
      assertThat(path()).doesNotExist();
    }
  }

  @Test
  void mountsManyTimesAtOnePlace() throws Exception {
    try (TestRegion region = TestRegion.local(MIB)) {
      for (int i = 0; i < 100; i++) {
        try (Device device = Fuse.attach(region, path())) {
          assertThat(Files.size(device.path())).isEqualTo(MIB);
        }
      }
    }
  }

  @Test
  void oneRegionCanBeMountedTwice() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        Device one = Fuse.attach(region, path());
        Device other = Fuse.attach(region, dir.resolve("other"));
        Program program = Program.start();
        Program reader = Program.start()) {
      reader.ok("open r " + other.path());
      reader.ok("map 0 " + MIB);
      reader.ok("get 0 " + MIB);
      program.ok("open rw " + one.path());
      program.ok("write 5000 1 1");
      assertThat(reader.ok("get 5000 1")).isEqualTo(Program.crc(new byte[] {1}));
    }
  }

  @Test
  void writersOfTwoMountsThatLockTheSamePagesDoNotWaitForEachOtherForEver() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        Device one = Fuse.attach(region, path());
        Device other = Fuse.attach(region, dir.resolve("other"));
        Program first = Program.start();
        Program second = Program.start()) {
      first.ok("open rw " + one.path());
      second.ok("open rw " + other.path());
      first.begin("rewrite 100 8192 1");
      second.begin("rewrite 100 8192 2");
      assertThat(first.answer()).isEqualTo("ok ");
      assertThat(second.answer()).isEqualTo("ok ");
      assertThat(first.ok("read 0 8192")).isEqualTo(second.ok("read 0 8192"));
    }
  }

  @Test
  void endsWithItsRegion() throws Exception {
    Device device;
    try (TestRegion region = TestRegion.local(MIB)) {
      device = Fuse.attach(region, path());
      assertThat(Files.size(path())).isEqualTo(MIB);
    }
    assertThat(Leaks.mounts(dir)).isEmpty();
    device.close();
  }

  @Test
  void programsThatStillHaveTheFileGetErrors() throws Exception {
    try (TestRegion region = TestRegion.local(64 * MIB);
        Program program = Program.start()) {
      try (Device device = Fuse.attach(region, path())) {
        program.ok("open rw " + device.path());
        program.ok("map 0 " + 64 * MIB);
        program.ok("get 0 10");
      }
      assertThat(program.tell("write 0 10 1")).contains("error");
      assertThat(program.tell("read " + 32 * MIB + " 4096")).contains("error");
      assertThat(program.tell("get " + 32 * MIB + " 4096")).contains("error");
      assertThat(path()).doesNotExist();
    }
  }

  @Test
  void requestsInFlightFail() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch never = new CountDownLatch(1);
    try (TestRegion region = TestRegion.remote(MIB);
        Program program = Program.start()) {
      try (Device device = Fuse.attach(region, path())) {
        region.onFetch =
            chunk -> {
              asked.countDown();
              awaitQuietly(never);
            };
        program.ok("open r " + device.path());
        program.begin("read 0 100");
        awaitQuietly(asked);
      }
      assertThat(program.answer()).contains("error");
    }
  }

  @Test
  void aReadOfThisJvmInFlightFails() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch never = new CountDownLatch(1);
    List<Exception> failures = new ArrayList<>();
    try (TestRegion region = TestRegion.remote(MIB)) {
      Thread reader;
      try (Device device = Fuse.attach(region, path())) {
        region.onFetch =
            chunk -> {
              asked.countDown();
              awaitQuietly(never);
            };
        Path file = device.path();
        reader =
            Thread.ofPlatform()
                .start(() -> {
                  try (FileChannel channel = FileChannel.open(file)) {
                    channel.read(ByteBuffer.allocate(10), 0);
                  } catch (IOException e) {
                    failures.add(e);
                  }
                });
        awaitQuietly(asked);
      }
      reader.join();
      assertThat(failures).hasSize(1);
    }
  }

  @Test
  void aRegionThatDoesNotEndARequestDelaysTheCloseButNotForEver() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch stubborn = new CountDownLatch(1);
    try (TestRegion region = TestRegion.remote(MIB);
        Program program = Program.start()) {
      region.onFetch =
          chunk -> {
            asked.countDown();
            awaitWhateverHappens(stubborn);
          };
      Device device =
          Fuse.attach(
              region, path(), FuseOptions.DEFAULT.withRequestTimeout(Duration.ofMillis(500)));
      program.ok("open r " + device.path());
      program.begin("read 0 100");
      awaitQuietly(asked);
      assertThatThrownBy(device::close)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("requests do not end");
      assertThat(Leaks.mounts(dir)).isEmpty();
      assertThat(path()).doesNotExist();
      stubborn.countDown();
    }
  }

  @Test
  void endsAlsoWhenEveryRequestBufferIsHeldByARequestThatWaits() throws Exception {
    int readers = RequestPool.MOST + 50;
    CountDownLatch all = new CountDownLatch(RequestPool.MOST - 2);
    CountDownLatch never = new CountDownLatch(1);
    try (TestRegion region = TestRegion.direct(readers * 4096L);
        Program program = Program.start()) {
      try (Device device = Fuse.attach(region, path(), FuseOptions.DEFAULT.withDirectIo(true))) {
        region.onFetch =
            chunk -> {
              all.countDown();
              awaitQuietly(never);
            };
        program.ok("open r " + device.path());
        program.begin("together " + readers + " 4096 4096");
        awaitQuietly(all);
      }
      assertThat(program.answer()).isEqualTo("ok 0");
    }
  }

  @Test
  void survivesThatAnAdministratorUnmountsIt() throws Exception {
    try (TestRegion region = TestRegion.local(MIB)) {
      try (Device device = Fuse.attach(region, path())) {
        assertThat(Leaks.run("umount", device.path().toString())).isZero();
        Files.writeString(path(), "something else");
      }
      assertThat(path()).hasContent("something else");
    }
  }

  @RepeatedTest(20)
  void ofTwoWhoMountAtOnePlaceAtOnceOneWinsAndItsMountStaysUsable(RepetitionInfo run)
      throws Exception {
    boolean there = run.getCurrentRepetition() % 2 == 0;
    if (there) {
      Files.createFile(path());
    }
    CyclicBarrier start = new CyclicBarrier(2);
    try (TestRegion region = TestRegion.local(MIB);
        ExecutorService threads = Executors.newFixedThreadPool(2)) {
      Callable<Device> attach =
          () -> {
            start.await();
            return Fuse.attach(region, path());
          };
      List<Device> winners = new ArrayList<>();
      List<Throwable> losers = new ArrayList<>();
      for (Future<Device> one : threads.invokeAll(List.of(attach, attach))) {
        try {
          winners.add(one.get());
        } catch (ExecutionException e) {
          losers.add(e.getCause());
        }
      }
      assertThat(losers)
          .singleElement()
          .asInstanceOf(InstanceOfAssertFactories.type(IOException.class))
          .satisfies(e -> assertThat(e).hasMessageContaining("something is mounted at"));
      assertThat(Files.readAllBytes(path())).isEqualTo(new byte[MIB]);
      assertThat(Leaks.mounts(dir)).hasSize(1);
      winners.getFirst().close();
      assertThat(Leaks.mounts(dir)).isEmpty();
      assertThat(Files.exists(path())).isEqualTo(there);
    }
  }

  @Test
  void whatSomebodyMountedOverItStaysMounted() throws Exception {
    Path foreign = Files.writeString(dir.resolve("foreign"), "foreign");
    try (TestRegion region = TestRegion.local(MIB)) {
      Device device = Fuse.attach(region, path());
      Program program = Program.start();
      try {
        program.ok("open r " + path());
        assertThat(Leaks.run("mount", "--bind", foreign.toString(), path().toString())).isZero();
        assertThatThrownBy(device::close)
            .isInstanceOf(IOException.class)
            .hasMessageContaining("something else is mounted over " + path());
        assertThat(path()).hasContent("foreign");
        assertThat(program.tell("read 0 100")).contains("error");
      } finally {
        program.close();
        Leaks.run("umount", path().toString());
        Leaks.run("umount", path().toString());
      }
    }
  }

  @Test
  void survivesThatItsConnectionIsAborted() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        FuseDevice device = FuseDevice.open(region, path(), FuseOptions.DEFAULT)) {
      device.abort();
      assertThatThrownBy(() -> Files.readAllBytes(path())).isInstanceOf(IOException.class);
    }
    assertThat(Leaks.mounts(dir)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "attached",
        "mount point",
        "mounted",
        "handshake",
        "watchdog",
        "notifier",
        "receivers",
        "ready"
      })
  void whenOpeningFailsNothingIsLeft(String step) throws Exception {
    for (boolean there : new boolean[] {false, true}) {
      if (there) {
        Files.writeString(path(), "below");
      }
      try (TestRegion region = TestRegion.local(MIB)) {
        assertThatThrownBy(() ->
                FuseDevice.open(
                    region,
                    path(),
                    FuseOptions.DEFAULT,
                    done -> {
                      if (done.equals(step)) {
                        throw new IOException("injected after " + done);
                      }
                    }))
            .isInstanceOf(IOException.class)
            .hasMessage("injected after " + step)
            .hasNoSuppressedExceptions();
        assertThat(region.frontends()).isEmpty();
        assertThat(Leaks.mounts(dir)).isEmpty();
        assertThat(Files.exists(path())).isEqualTo(there);
      }
    }
    assertThat(path()).hasContent("below");
  }

  @Test
  void whatADeadServerLeftIsClearedAway() throws Exception {
    Files.createFile(path());
    Process server = Server.start(path());
    try {
      assertThat(Server.ready(server)).isTrue();
      assertThat(Files.size(path())).isEqualTo(Server.SIZE);
    } finally {
      server.destroyForcibly();
      server.waitFor();
    }
    assertThatThrownBy(() -> Files.readAllBytes(path()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("Transport endpoint is not connected");
    try (TestRegion region = TestRegion.local(MIB);
        Device device = Fuse.attach(region, path())) {
      assertThat(Files.size(device.path())).isEqualTo(MIB);
    }
    assertThat(path()).isEmptyFile();
  }

  @Test
  void aJvmThatJustExitsDoesNotHang() throws Exception {
    Process server = Server.start(path());
    assertThat(Server.ready(server)).isTrue();
    try (Program program = Program.start()) {
      program.ok("open r " + path());
      program.begin("read 0 100");
      server.getOutputStream().close();
      assertThat(server.waitFor(10, TimeUnit.SECONDS)).isTrue();
      assertThat(program.answer()).contains("error");
    } finally {
      server.destroyForcibly();
      Leaks.run("umount", "-l", path().toString());
      Files.deleteIfExists(path());
    }
  }

  private static void awaitQuietly(CountDownLatch latch) throws IOException {
    try {
      boolean ignored = latch.await(30, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      throw new IOException("interrupted", e);
    }
  }

  private static void awaitWhateverHappens(CountDownLatch latch) {
    while (latch.getCount() > 0) {
      try {
        latch.await();
      } catch (InterruptedException e) {
        // Stubborn.
      }
    }
  }
}
