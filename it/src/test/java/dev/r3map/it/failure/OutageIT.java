package dev.r3map.it.failure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.DirectMount;
import dev.r3map.testkit.DelayProxy;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Servers that are away for a while, in the middle of reading and writing. */
class OutageIT {
  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(3));

  @RegisterExtension final Children children = new Children();

  private static final long SIZE = (48 << 20) + 4096 + 77;
  private static final int CHUNK = 64 << 10;

  /** The first half is written by the load, what follows by the program. */
  private static final long SPAN = 8 << 20;

  private static final long PRESENT = SPAN;
  private static final long ABSENT = 40 << 20;

  private static final Duration OUTAGE = Duration.ofSeconds(10);

  /** For what needs no network: generous, for a busy machine. */
  private static final Duration AT_ONCE = Duration.ofSeconds(2);

  private static final Duration SOON = Duration.ofSeconds(20);

  private static final Duration IO_TIMEOUT = Duration.ofSeconds(2);

  @TempDir Path folder;

  private final SplittableRandom random = new SplittableRandom(Seeds.next());
  private final Ledger ledger = new Ledger(SIZE, random.nextLong());
  private Path served;
  private Path path;
  private Child server;
  private int port;
  private DelayProxy proxy;

  /** How a server can be away. */
  enum Outage {
    /** Connections are reset, and new ones too. */
    REFUSED,
    /** Nothing arrives any more, though connections stand. */
    BLACK_HOLE,
    /** SIGKILL, and another one later. */
    KILLED
  }

  @BeforeEach
  void serve() throws Exception {
    Host.requireFuse();
    served = ledger.makeFile(folder.resolve("served"));
    path = folder.resolve("mounted");
    server = children.start(ServeMain.class, served.toString(), "0");
    port = port();
    proxy = DelayProxy.to(port).delay(Duration.ofMillis(4));
  }

  private int port() throws InterruptedException {
    String ready = server.answer();
    assertThat(ready).startsWith("ready ");
    return Integer.parseInt(ready.substring("ready ".length()));
  }

  @AfterEach
  void end() throws Exception {
    proxy.close();
    Host.unmountBelow(folder.toRealPath());
  }

  private void begin(Outage outage) throws Exception {
    switch (outage) {
      case REFUSED -> proxy.cut();
      case BLACK_HOLE -> proxy.stall();
      case KILLED -> server.kill();
    }
  }

  private void end(Outage outage) throws Exception {
    if (outage == Outage.KILLED) {
      server = children.start(ServeMain.class, served.toString(), Integer.toString(port));
      assertThat(port()).isEqualTo(port);
    } else {
      proxy.resume();
    }
  }

  @ParameterizedTest
  @EnumSource
  void presentBytesAreServedAndAbsentOnesAreWaitedForWhileTheServerIsAway(Outage outage)
      throws Exception {
    try (Mounted mounted =
        Mounted.managed(
            proxy.port(),
            path,
            mount -> mount.chunkSize(CHUNK).pullWorkers(1).pushInterval(Duration.ofMillis(300)))) {
      mounted.region().awaitLocal(0, 2 * SPAN, SOON);
      Child reader = program("r");
      Child user = program("direct");
      try (WriteLoad load =
          WriteLoad.start(() -> WriteLoad.Target.of(mounted.region()), ledger, SPAN, 2, random)) {
        load.awaitSyncs(3);

        begin(outage);
        long end = System.nanoTime() + OUTAGE.toNanos();
        Future<ByteBuffer> absent = inBackground(() -> mounted.read(ABSENT, 3 * CHUNK));
        reader.begin("read %d %d".formatted(ABSENT + 8 * CHUNK, 5000));
        while (System.nanoTime() - end < 0) {
          usePresent(mounted, user);
          load.requireGoingOn();
        }
        assertThat(absent.isDone()).isFalse();
        assertThat(reader.hasAnswered()).as("reader").isFalse();
        end(outage);

        ledger.checkView(absent.get(SOON.toSeconds(), TimeUnit.SECONDS), ABSENT);
        assertThat(reader.okAnswer()).isEqualTo(crcOf(mounted, ABSENT + 8 * CHUNK, 5000));
        load.awaitSyncs(load.syncs() + 5);
        load.stop();
      }
      mounted.region().awaitLocal(1, Duration.ofSeconds(30));
      mounted.region().sync();
      ledger.checkFile(path);
      assertThat(bytes(served)).as("served file").isEqualTo(bytes(path));
    }
  }

  /** Reads and writes present blocks through both doors, none of which may take long. */
  private void usePresent(Mounted mounted, Child user) throws Exception {
    long began = System.nanoTime();
    long offset = PRESENT + (long) random.nextInt((int) (SPAN / 4096)) * 4096;
    Ledger.Write write = ledger.begin(offset, 4096);
    user.ok("write %d 4096 %d".formatted(offset, ledger.payloadSeed(write.version())));
    ledger.end(write);
    assertThat(user.ok("read %d 4096".formatted(offset))).isEqualTo(Program.crc(write.bytes()));
    ledger.checkView(mounted.read(offset, 4096), offset);
    assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(AT_ONCE);
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "KILLED")
  void afterTheIoTimeoutOnlyThoseWhoWaitFailAndLaterReadsSucceed(Outage outage) throws Exception {
    try (Mounted mounted =
        Mounted.managed(
            proxy.port(),
            path,
            mount -> mount.chunkSize(CHUNK).pullWorkers(0).ioTimeout(IO_TIMEOUT))) {
      mounted.region().awaitLocal(0, 2 * SPAN, SOON);
      Child reader = program("r");
      Child user = program("direct");

      begin(outage);
      for (int round = 0; round < 2; round++) {
        // A failure is not remembered: the second round waits as long as the first.
        long began = System.nanoTime();
        Future<ByteBuffer> absent = inBackground(() -> mounted.read(ABSENT, 100));
        Future<ByteBuffer> another = inBackground(() -> mounted.read(ABSENT + 200, 100));
        reader.begin("read %d %d".formatted(ABSENT + 8 * CHUNK, 5000));
        while (!(absent.isDone() && another.isDone() && reader.hasAnswered())) {
          usePresent(mounted, user);
        }
        assertTimedOut(absent, began);
        assertTimedOut(another, began);
        assertThat(reader.answer()).startsWith("error").contains("Input/output error");
        // The kernel asks again for the single page when reading ahead has failed.
        assertThat(Duration.ofNanos(System.nanoTime() - began))
            .isBetween(IO_TIMEOUT, IO_TIMEOUT.plus(IO_TIMEOUT).plus(AT_ONCE));
      }
      assertThat(user.tell("sync")).startsWith("error").contains("Input/output error");
      assertThatThrownBy(() -> mounted.region().sync())
          .isInstanceOf(IOException.class)
          .hasMessageContaining("grpc://127.0.0.1:" + proxy.port());
      usePresent(mounted, user);
      proxy.resume();

      ledger.checkView(mounted.read(ABSENT, CHUNK), ABSENT);
      assertThat(reader.ok("read %d %d".formatted(ABSENT + 8 * CHUNK, 5000)))
          .isEqualTo(crcOf(mounted, ABSENT + 8 * CHUNK, 5000));
      user.ok("sync");
      ledger.checkFile(path);
      assertThat(bytes(served)).as("served file").isEqualTo(bytes(path));
    }
  }

  private void assertTimedOut(Future<ByteBuffer> read, long began) {
    assertThatThrownBy(() -> read.get(SOON.toSeconds(), TimeUnit.SECONDS))
        .cause()
        .isInstanceOf(IOException.class)
        .hasMessageContaining("cannot read grpc://127.0.0.1:%d".formatted(proxy.port()))
        .hasMessageContaining("offset=%d".formatted(ABSENT))
        .hasMessageMatching(
            "(?s).*(no answer in time|Connection re(set|fused)|closed the connection).*");
    assertThat(Duration.ofNanos(System.nanoTime() - began)).isGreaterThanOrEqualTo(IO_TIMEOUT);
  }

  @ParameterizedTest
  @EnumSource
  void aDirectMountWaitsForItsServerToo(Outage outage) throws Exception {
    try (Mounted mounted =
        Mounted.open(proxy.port(), path, Duration.ofSeconds(2), DirectMount::open)) {
      Child reader = program("r");
      Child writer = program("direct");
      Ledger.Write write = ledger.begin(PRESENT, 3 * 4096);

      begin(outage);
      Future<ByteBuffer> read = inBackground(() -> mounted.read(ABSENT, CHUNK));
      reader.begin("read %d %d".formatted(ABSENT + 8 * CHUNK, 5000));
      writer.begin("write %d 12288 %d".formatted(PRESENT, ledger.payloadSeed(write.version())));
      // Longer than one call may take, so that each has to be tried again.
      assertThatThrownBy(() -> read.get(3, TimeUnit.SECONDS)).isInstanceOf(TimeoutException.class);
      assertThat(reader.hasAnswered()).as("reader").isFalse();
      assertThat(writer.hasAnswered()).as("writer").isFalse();
      end(outage);

      ledger.checkView(read.get(SOON.toSeconds(), TimeUnit.SECONDS), ABSENT);
      writer.okAnswer();
      ledger.end(write);
      assertThat(reader.okAnswer()).isEqualTo(crcOf(mounted, ABSENT + 8 * CHUNK, 5000));
      Ledger.Mark mark = ledger.mark();
      writer.ok("sync");
      ledger.acknowledge(mark);
      ledger.checkServed(served);
    }
  }

  private Child program(String mode) throws Exception {
    Child program = children.start(Program.class);
    program.ok("open %s %s".formatted(mode, path));
    return program;
  }

  private String crcOf(Mounted mounted, long offset, int length) throws IOException {
    long first = offset / Ledger.SECTOR * Ledger.SECTOR;
    int whole = Math.ceilDiv(length + (int) (offset - first), Ledger.SECTOR) * Ledger.SECTOR;
    ByteBuffer bytes = mounted.read(first, whole);
    ledger.checkView(bytes, first);
    return Program.crc(bytes.slice((int) (offset - first), length));
  }

  private static <T> Future<T> inBackground(Callable<T> work) {
    FutureTask<T> task = new FutureTask<>(work);
    Thread.ofVirtual().start(task);
    return task;
  }

  private static ByteBuffer bytes(Path file) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(file));
  }
}
