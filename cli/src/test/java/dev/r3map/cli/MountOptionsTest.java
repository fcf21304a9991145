package dev.r3map.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.MemoryBackend;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.linux.Fuse;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.BackendCall.Kind;
import dev.r3map.testkit.CountingBackend;
import dev.r3map.testkit.FaultyBackend;
import dev.r3map.testkit.FaultyBackend.Fault;
import dev.r3map.testkit.ForwardingBackend;
import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What options of {@code mount} change, as a server sees it that this test runs. */
class MountOptionsTest {
  private static final int CHUNK = 64 << 10;
  private static final int CHUNKS = 16;
  private static final int SIZE = CHUNKS * CHUNK;

  /** Longer than anything takes here, shorter than what the options say otherwise. */
  private static final Duration SOON = Duration.ofSeconds(15);

  @TempDir private Path folder;

  private CountingBackend calls;
  private FaultyBackend faults;
  private AtMost reads;
  private AtMost writes;
  private GrpcServer server;
  private Path here;

  @BeforeEach
  void serve() throws IOException {
    assertThat(Fuse.unavailable()).isEmpty();
    MemoryBackend memory = MemoryBackend.of(SIZE);
    memory.write(Payload.of(1).bytes(0, SIZE), 0);
    faults = FaultyBackend.of(memory);
    reads = new AtMost(Kind.READ, faults);
    writes = new AtMost(Kind.WRITE, reads);
    calls = CountingBackend.of(writes);
    server = GrpcServer.serve(calls).listen(folder.resolve("socket")).start();
    here = folder.resolve("here");
  }

  @AfterEach
  void stop() throws Exception {
    faults.heal();
    // If the test failed, its command was killed and may have left this.
    Cli.runProgram(List.of("umount", "-q", "-l", here.toString()));
    server.close();
    calls.close();
  }

  /** How many calls of a kind were under way at the same time. */
  private static final class AtMost extends ForwardingBackend {
    private final Kind kind;
    private final AtomicInteger running = new AtomicInteger();
    private final AtomicInteger most = new AtomicInteger();

    AtMost(Kind kind, ForwardingBackend backend) {
      super(backend);
      this.kind = kind;
    }

    int most() {
      return most.get();
    }

    @Override
    protected <T> T around(BackendCall call, Step<T> step) throws IOException {
      if (call.kind() != kind) {
        return step.run();
      }
      most.accumulateAndGet(running.incrementAndGet(), Math::max);
      try {
        return step.run();
      } finally {
        running.decrementAndGet();
      }
    }
  }

  @Test
  void pullOrderAndChunkSizeSayWhichBytesArePulledAndWhen() throws Exception {
    int chunk = 32 << 10;
    Path order = Files.writeString(folder.resolve("order"), "640KiB # chunk 20\n0x18000\n5\n");
    try (Cli mount =
        mount("--pull-order=" + order, "--chunk-size=32KiB", "--pull-workers=1", "--pull-first")) {
      List<BackendCall> expected = new ArrayList<>();
      for (int first : new int[] {20, 3, 0}) {
        expected.add(new BackendCall(Kind.READ, (long) first * chunk, chunk));
      }
      for (int then = 0; then < SIZE / chunk; then++) {
        BackendCall call = new BackendCall(Kind.READ, (long) then * chunk, chunk);
        if (!expected.contains(call)) {
          expected.add(call);
        }
      }
      assertThat(calls.calls().stream().filter(BackendCall.of(Kind.READ)))
          .containsExactlyElementsOf(expected);
      end(mount);
    }
  }

  @Test
  void pullWorkersSayHowManyChunksArePulledAtOnce() throws Exception {
    faults.delay(BackendCall.of(Kind.READ), Duration.ofMillis(5));
    Fault held = faults.hold(BackendCall.of(Kind.READ));
    try (Cli mount = start("--pull-workers=2", "--chunk-size=64KiB", "--pull-first")) {
      held.awaitHits(2, SOON);
      held.close();
      mount.awaitEvent("mounted");

      assertThat(calls.count(Kind.READ)).isEqualTo(CHUNKS);
      assertThat(reads.most()).isEqualTo(2);
      end(mount);
    }
  }

  @Test
  void pullFirstMountsWhenSoMuchIsLocalAndNotBefore() throws Exception {
    String[] options = {"--pull-first=50", "--chunk-size=64KiB", "--io-timeout=2s"};
    Fault threeQuarters = holdReadsFrom(SIZE / 4);
    try (Cli mount = start(options)) {
      Cli.Result result = mount.end();
      assertThat(result.code()).isEqualTo(1);
      assertThat(result.err()).contains("pulling first made no progress");
      assertThat(result.out()).doesNotContain("mounted");
    }
    threeQuarters.close();
    Fault quarter = holdReadsFrom(3L * SIZE / 4);
    try (Cli mount = mount(options)) {
      quarter.close();
      end(mount);
    }
  }

  private Fault holdReadsFrom(long offset) {
    return faults.hold(call -> call.kind() == Kind.READ && call.offset() >= offset);
  }

  @Test
  void pushWorkersSayHowManyChunksArePushedAtOnce() throws Exception {
    faults.delay(BackendCall.of(Kind.WRITE), Duration.ofMillis(5));
    Fault held = faults.hold(BackendCall.of(Kind.WRITE));
    try (Cli mount = mount("--push-workers=2", "--chunk-size=64KiB", "--pull-first")) {
      write(Payload.of(2).bytes(0, SIZE));
      mount.signal("TERM");
      held.awaitHits(2, SOON);
      held.close();

      assertThat(mount.end().code()).isZero();
      assertThat(calls.count(Kind.WRITE)).isEqualTo(CHUNKS);
      assertThat(writes.most()).isEqualTo(2);
    }
  }

  @Test
  void pushIntervalSaysHowSoonAWriteIsPushedThatNobodySyncs() throws Exception {
    Fault syncs = faults.delay(BackendCall.of(Kind.SYNC), Duration.ZERO);
    try (Cli mount = mount("--push-interval=100ms", "--pull-first")) {
      write(Payload.of(2).bytes(0, 4096));

      syncs.awaitHits(1, SOON);

      assertThat(calls.bytes(Kind.WRITE)).isEqualTo(4096);
      end(mount);
    }
  }

  @ParameterizedTest
  @CsvSource({"local, 0", "remote, 1"})
  void durabilitySaysWhetherAnFsyncGoesToTheRemote(String where, int syncs) throws Exception {
    Path cache = folder.resolve("cache");
    try (Cli mount =
        mount("--durability=" + where, "--cache=" + cache, "--push-interval=1h", "--pull-first")) {
      try (FileChannel file = FileChannel.open(here, StandardOpenOption.WRITE)) {
        file.write(Payload.of(2).bytes(0, 4096), 0);
        file.force(false);
      }

      assertThat(calls.bytes(Kind.WRITE)).isEqualTo(syncs * 4096L);
      assertThat(calls.count(Kind.SYNC)).isEqualTo(syncs);
      end(mount);
    }
  }

  @Test
  @Timeout(25)
  void ioTimeoutSaysHowLongAReadWaitsForTheRemote() throws Exception {
    Fault away = faults.hold(BackendCall.of(Kind.READ));
    try (Cli mount = mount("--io-timeout=2s", "--pull-workers=0")) {
      assertThatThrownBy(this::read)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("Input/output error");
      away.awaitHits(1, SOON);
      away.close();
      Payload.of(1).verify(read(), 0);
      // It was the region that gave up, which knows why, and not the mount.
      assertThat(end(mount).err()).contains("read failed").doesNotContain("not answer in time");
    }
  }

  private Cli start(String... options) throws IOException {
    List<String> arguments =
        new ArrayList<>(List.of("mount", server.uri().toString(), here.toString(), "--json"));
    arguments.addAll(List.of(options));
    return Cli.start(arguments.toArray(String[]::new));
  }

  private Cli mount(String... options) throws Exception {
    Cli mount = start(options);
    mount.awaitEvent("mounted");
    return mount;
  }

  private static Cli.Result end(Cli mount) throws Exception {
    mount.signal("TERM");
    Cli.Result result = mount.end();
    assertThat(result.code()).as(result.err()).isZero();
    return result;
  }

  private ByteBuffer read() throws IOException {
    try (FileChannel file = FileChannel.open(here)) {
      ByteBuffer bytes = ByteBuffer.allocate(100);
      file.read(bytes, 0);
      return bytes.flip();
    }
  }

  private void write(ByteBuffer bytes) throws IOException {
    try (FileChannel file = FileChannel.open(here, StandardOpenOption.WRITE)) {
      file.write(bytes, 0);
    }
  }
}
