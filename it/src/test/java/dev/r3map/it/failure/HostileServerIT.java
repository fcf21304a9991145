package dev.r3map.it.failure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Backends;
import dev.r3map.DirectMount;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.it.failure.HostileServer.Fault;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.Payload;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.junit.jupiter.params.provider.ValueSource;

/** Servers that answer short, late, nonsense, or with another resource. */
class HostileServerIT {
  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(3));

  @RegisterExtension final Children children = new Children();

  private static final int CHUNK = 64 << 10;
  private static final int SIZE = 64 * CHUNK + 777;

  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(1);
  private static final Duration IO_TIMEOUT = Duration.ofSeconds(2);

  /** Beyond every deadline: what takes longer, hangs. */
  private static final Duration HANGS = Duration.ofSeconds(10);

  private static final Payload PAYLOAD = Payload.of(11);

  /** Those that another try might mend: they are tried until the io timeout. */
  private static final Set<Fault> TRANSIENT =
      Set.of(Fault.LATE, Fault.SILENT, Fault.FAILURE, Fault.HUGE_MESSAGE, Fault.ENDLESS);

  @TempDir Path folder;

  private HostileServer server;
  private Path path;

  @BeforeEach
  void serve() throws Exception {
    Host.requireFuse();
    server = new HostileServer(SIZE, PAYLOAD);
    path = folder.resolve("mounted");
  }

  @AfterEach
  void end() throws Exception {
    server.close();
    Host.unmountBelow(folder.toRealPath());
  }

  private String uri() {
    return "grpc://127.0.0.1:" + server.port();
  }

  private Backend connect() throws IOException {
    return Backends.open(URI.create(uri()), BackendOptions.DEFAULT.withTimeout(CALL_TIMEOUT));
  }

  private static ManagedMount managed(Backend backend) {
    return ManagedMount.on(backend)
        .chunkSize(CHUNK)
        .pullWorkers(0)
        .pushInterval(Duration.ofHours(1))
        .ioTimeout(IO_TIMEOUT);
  }

  private static ByteBuffer read(Region region, long offset, int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    region.read(bytes, offset);
    return bytes.flip();
  }

  @ParameterizedTest
  @EnumSource(
      mode = Mode.EXCLUDE,
      names = {"NONE", "OTHER_INSTANCE"})
  void aBadAnswerToAReadIsAnErrorThatSaysSoAndHarmsNoOther(Fault fault) throws Exception {
    server.badFrom = 8L * CHUNK;
    server.badTo = 10L * CHUNK;
    server.reads = fault;
    try (Backend backend = connect();
        Region managed = managed(backend).open();
        Region direct = DirectMount.open(backend, false, IO_TIMEOUT)) {
      for (Region region : List.of(managed, direct)) {
        long began = System.nanoTime();
        assertThatThrownBy(() -> read(region, 8 * CHUNK + 100, 5000))
            .isInstanceOf(IOException.class)
            .hasMessageContaining(uri())
            .hasMessageContaining(
                "offset=" + (region.equals(managed) ? 8 * CHUNK : 8 * CHUNK + 100))
            .hasMessageMatching("(?s).{1,1500}")
            .satisfies(e ->
                assertThat(e instanceof PermanentIOException)
                    .isEqualTo(!TRANSIENT.contains(fault)));
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(HANGS);
        PAYLOAD.verify(read(region, 20 * CHUNK, 2 * CHUNK), 20 * CHUNK);
      }
      server.behave();
      for (Region region : List.of(managed, direct)) {
        PAYLOAD.verify(read(region, 0, SIZE), 0);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"chunkSize=65536", "direct="})
  void programsGetErrorsAndTheMountLivesInASmallHeap(String kind) throws Exception {
    Child mount = mountInSmallHeap(kind, "pullWorkers=0");
    assertThat(mount.answer()).isEqualTo("ready");
    Child program = children.start(Program.class);
    program.ok("open direct " + path);
    long bad = 8L * CHUNK;
    for (Fault fault : Fault.values()) {
      if (fault == Fault.NONE || fault == Fault.OTHER_INSTANCE) {
        continue;
      }
      server.badFrom = bad;
      server.badTo = bad + CHUNK;
      server.reads = fault;
      long began = System.nanoTime();
      assertThat(program.tell("read %d 8192".formatted(bad)))
          .as(fault.toString())
          .startsWith("error")
          .contains("Input/output error");
      assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(HANGS);
      long good = bad + CHUNK;
      assertThat(program.ok("read %d 8192".formatted(good)))
          .as(fault.toString())
          .isEqualTo(Program.crc(PAYLOAD.bytes(good, 8192)));
      bad += 2L * CHUNK;
    }
    server.behave();
    for (long at = 0; at < SIZE - CHUNK; at += CHUNK) {
      assertThat(program.ok("read %d %d".formatted(at, CHUNK)))
          .isEqualTo(Program.crc(PAYLOAD.bytes(at, CHUNK)));
    }
    assertThat(mount.errors()).contains("read failed").contains(uri());
    assertThat(memoryPeak(mount)).isLessThan(400L << 20);
    program.ok("close");
    mount.ok("close");
    assertThat(mount.exitCode()).isZero();
  }

  private Child mountInSmallHeap(String... options) throws IOException {
    String[] arguments = new String[options.length + 4];
    arguments[0] = uri();
    arguments[1] = path.toString();
    arguments[2] = "timeout=" + CALL_TIMEOUT.toMillis();
    arguments[3] = "ioTimeout=" + IO_TIMEOUT.toMillis();
    System.arraycopy(options, 0, arguments, 4, options.length);
    return children.start(
        List.of("-Xmx48m", "-XX:+ExitOnOutOfMemoryError"), MountMain.class, arguments);
  }

  /** The most memory that a process ever had, in bytes; proc(5). */
  private static long memoryPeak(Child child) throws IOException {
    return Files.readAllLines(Path.of("/proc/" + child.pid() + "/status")).stream()
        .filter(line -> line.startsWith("VmHWM:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
        .findFirst()
        .orElseThrow();
  }

  @ParameterizedTest
  @EnumSource(names = {"GARBAGE", "EMPTY", "LONG", "LATE", "SILENT", "FAILURE"})
  void noWriteIsLostToABadAnswer(Fault fault) throws Exception {
    byte[] bytes = Payload.of(12).bytes(0, 3 * 4096).array();
    try (Backend backend = connect();
        Region region = managed(backend).open()) {
      region.write(ByteBuffer.wrap(bytes), 4096);
      server.writes = fault;
      long began = System.nanoTime();
      assertThatThrownBy(region::sync)
          .isInstanceOf(IOException.class)
          .hasMessageContaining(uri())
          .hasMessageContaining("offset=4096");
      assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(HANGS);
      assertThat(region.progress().dirty()).isEqualTo(bytes.length);
      assertThat(read(region, 4096, bytes.length).array()).isEqualTo(bytes);
      server.behave();
      region.sync();
      assertThat(region.progress().dirty()).isZero();
      assertThat(server.memory(4096, bytes.length)).isEqualTo(bytes);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"GARBAGE", "EMPTY", "OTHER_INSTANCE", "LATE", "SILENT", "FAILURE"})
  void aSyncThatIsAnsweredBadlyIsNoSync(Fault fault) throws Exception {
    byte[] bytes = Payload.of(12).bytes(0, 3 * 4096).array();
    try (Backend backend = connect();
        Region region = managed(backend).open();
        Region direct = DirectMount.open(backend, false, IO_TIMEOUT)) {
      region.write(ByteBuffer.wrap(bytes), 4096);
      server.syncs = fault;
      assertThatThrownBy(region::sync).isInstanceOf(IOException.class).hasMessageContaining(uri());
      assertThat(region.progress().dirty()).isEqualTo(bytes.length);
      assertThatThrownBy(direct::sync).isInstanceOf(IOException.class).hasMessageContaining(uri());
      server.behave();
      region.sync();
      direct.sync();
      assertThat(region.progress().dirty()).isZero();
      assertThat(server.memory(4096, bytes.length)).isEqualTo(bytes);
    }
  }

  @Test
  void aProgramLearnsThatItsWritesDidNotArrive() throws Exception {
    Child mount = mountInSmallHeap("chunkSize=" + CHUNK, "pullWorkers=0");
    assertThat(mount.answer()).isEqualTo("ready");
    Child program = children.start(Program.class);
    program.ok("open rw " + path);
    program.ok("write 4096 12288 12");
    server.writes = Fault.GARBAGE;
    assertThat(program.tell("sync")).startsWith("error").contains("Input/output error");
    assertThat(program.ok("read 4096 12288"))
        .isEqualTo(Program.crc(Payload.of(12).bytes(4096, 12288)));
    server.behave();
    program.ok("sync");
    assertThat(server.memory(4096, 12288)).isEqualTo(Payload.of(12).bytes(4096, 12288).array());
    program.ok("close");
    mount.ok("close");
  }

  @ParameterizedTest
  @EnumSource(
      names = {"GARBAGE", "EMPTY", "LONG", "SHORT", "NEGATIVE", "SILENT", "FAILURE", "ENDLESS"})
  void badExtentsDoNotKeepThePullFromGoingOn(Fault fault) throws Exception {
    server.extents = fault;
    try (Backend backend = connect();
        Region region = managed(backend).pullWorkers(2).open()) {
      region.awaitLocal(1, HANGS);
      PAYLOAD.verify(read(region, 0, SIZE), 0);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "-1, pullWorkers=0",
    "-1, direct=",
    "-9223372036854775808, direct=",
    "9223372036854775807, pullWorkers=0",
    "9223372036854775807, direct=",
    "1125899906842624, pullWorkers=0",
    "1125899906842624, direct=",
    "35184372088832, pullWorkers=0"
  })
  void aSizeThatNoHeapIsLargeEnoughForIsRefusedAtOpen(long size, String kind) throws Exception {
    server.reportedSize = size;
    Child mount = mountInSmallHeap(kind);
    assertThat(mount.exitCode()).isOne();
    assertThat(mount.errors())
        .contains("IOException")
        .contains(size > 0 ? "%d bytes".formatted(size) : uri())
        .doesNotContain("OutOfMemory");
    assertThat(Host.mountsBelow(folder.toRealPath())).isEmpty();
    assertThat(path).doesNotExist();
  }

  @ParameterizedTest
  @EnumSource(names = {"GARBAGE", "EMPTY", "SILENT", "ENDLESS", "FAILURE"})
  void whatCannotBeOpenedFailsInTime(Fault fault) throws Exception {
    server.infos = fault;
    long began = System.nanoTime();
    assertThatThrownBy(this::connect).isInstanceOf(IOException.class).hasMessageContaining(uri());
    assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(HANGS);
  }

  @Test
  void aResourceThatChangedWhileItsServerWasAwayIsNotMixedWithTheOldOne() throws Exception {
    Path served = folder.resolve("served");
    Path other = folder.resolve("other");
    Path cache = folder.resolve("cache");
    Files.write(served, PAYLOAD.bytes(0, SIZE).array());
    try (RandomAccessFile file = new RandomAccessFile(other.toFile(), "rw")) {
      file.setLength(SIZE + 4096);
    }
    int port;
    try (FileBackend file = FileBackend.open(served);
        GrpcServer first = GrpcServer.serve(file).start();
        FileBackend otherFile = FileBackend.open(other)) {
      port = first.port();
      Mounted mounted =
          Mounted.open(port, path, CALL_TIMEOUT, backend -> managed(backend).cache(cache).open());
      Child program = children.start(Program.class);
      program.ok("open direct " + path);
      program.ok("read 0 4096");
      program.ok("write %d 4096 13".formatted(2 * CHUNK));
      Host.closeNow(first);
      try (GrpcServer second = GrpcServer.serve(otherFile).listen("127.0.0.1", port).start()) {
        assertThat(second.port()).isEqualTo(port);
        assertThatThrownBy(() -> mounted.read(20 * CHUNK, 100))
            .isInstanceOf(ResourceChangedException.class)
            .hasMessageContaining("grpc://127.0.0.1:" + port)
            .hasMessageContaining("%d bytes and not %d".formatted(SIZE + 4096, SIZE));
        assertThat(program.tell("read %d 4096".formatted(30 * CHUNK)))
            .startsWith("error")
            .contains("Stale file handle");
        assertThat(program.tell("sync")).startsWith("error").contains("Stale file handle");
        assertThat(program.ok("read 0 4096")).isEqualTo(Program.crc(PAYLOAD.bytes(0, 4096)));
        program.ok("close");
        assertThatThrownBy(mounted::close)
            .hasMessageContaining("4096 bytes were not pushed")
            .hasMessageContaining(cache.toString());
      }
      assertThat(Files.readAllBytes(other)).containsOnly(0);
      // The right one is back, and with it the bytes that were kept.
      try (GrpcServer third = GrpcServer.serve(file).listen("127.0.0.1", port).start();
          Mounted again =
              Mounted.open(third.port(), path, CALL_TIMEOUT, b -> managed(b).cache(cache).open())) {
        assertThat(again.region().progress().dirty()).isEqualTo(4096);
        again.region().sync();
      }
    }
    byte[] expected = PAYLOAD.bytes(0, SIZE).array();
    Payload.of(13).fill(ByteBuffer.wrap(expected, 2 * CHUNK, 4096), 2 * CHUNK);
    assertThat(Files.readAllBytes(served)).isEqualTo(expected);
  }
}
