package dev.r3map.it.failure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Durability;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.FileBackend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.it.failure.SmallDisk.Kind;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.CountingBackend;
import dev.r3map.testkit.Leaks;
import dev.r3map.testkit.Payload;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Caches on disks that are full. */
class FullDiskIT {
  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(3));

  @RegisterExtension final Children children = new Children();

  private static final String FULL = "No space left on device";
  private static final int DISK_MEBIBYTES = 32;
  private static final int CHUNK = 64 << 10;
  private static final int PIECE = 24 << 10;

  /** With its cache and journal, it fits on the disk when that is free. */
  private static final long SIZE = (12 << 20) + 12345;

  /** For what needs no remote: generous, for a busy machine. */
  private static final Duration AT_ONCE = Duration.ofSeconds(3);

  private static final Duration SOON = Duration.ofSeconds(20);

  @TempDir Path folder;

  private final SplittableRandom random = new SplittableRandom(Seeds.next());
  private final Ledger ledger = new Ledger(SIZE, random.nextLong());
  private Path served;
  private Path path;

  @BeforeEach
  void makeResource() throws Exception {
    Host.requireFuse();
    Host.requireRoot();
    served = ledger.makeFile(folder.resolve("served"));
    path = folder.resolve("mounted");
  }

  @AfterEach
  void unmount() throws Exception {
    Host.unmountBelow(folder.toRealPath());
  }

  private ManagedMount options(ManagedMount mount, Path cache) {
    return mount
        .cache(cache)
        .chunkSize(CHUNK)
        .pullWorkers(0)
        .pushInterval(Duration.ofHours(1))
        .ioTimeout(Duration.ofSeconds(20));
  }

  @ParameterizedTest
  @CsvSource({"TMPFS, LOCAL", "TMPFS, REMOTE", "EXT4, LOCAL", "EXT4, REMOTE"})
  void aWriterGetsNoSpaceAndNothingAcknowledgedIsLost(Kind kind, Durability durability)
      throws Exception {
    try (SmallDisk disk = SmallDisk.mount(kind, DISK_MEBIBYTES, folder);
        FileBackend backend = FileBackend.open(served);
        GrpcServer server = GrpcServer.serve(backend).start()) {
      Path cache = disk.folder().resolve("cache");
      try (Mounted mounted =
          Mounted.managed(
              server.port(), path, mount -> options(mount, cache).durability(durability))) {
        Child program = program("rw");
        program.ok("sync");
        disk.fillExcept(3 << 20);
        long end = writeUntilFull(program, 0);
        assertThat(end).isGreaterThan(1 << 20);

        // What is there can be read, changed and made durable.
        checkWritten(mounted, end);
        write(program, 0, 2 * CHUNK);
        sync(program);
        checkWritten(mounted, end);
        // What is not there cannot be kept: the reader learns why, and soon.
        long began = System.nanoTime();
        assertThat(program.tell("read %d 8192".formatted(SIZE - CHUNK)))
            .startsWith("error")
            .contains(FULL);
        assertThatThrownBy(() -> mounted.read(SIZE - CHUNK, 100))
            .isInstanceOf(NoSpaceException.class)
            .hasMessageContaining(cache.toString());
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(AT_ONCE);

        disk.free();
        write(program, end, PIECE);
        sync(program);
        ledger.checkFile(path);
        mounted.region().sync();
        assertThat(bytes(served)).as("served file").isEqualTo(bytes(path));
        program.ok("close");
      }
    }
  }

  /** Gives where the first write failed. */
  private long writeUntilFull(Child program, long from) throws Exception {
    for (long at = from; ; at += PIECE) {
      Ledger.Write write = ledger.begin(at, PIECE);
      String answer =
          program.tell("write %d %d %d".formatted(at, PIECE, ledger.payloadSeed(write.version())));
      if (!answer.startsWith("ok")) {
        assertThat(answer).contains(FULL);
        return at;
      }
      ledger.end(write);
      if (random.nextInt(4) == 0) {
        sync(program);
      }
    }
  }

  private void write(Child program, long offset, int length) throws Exception {
    Ledger.Write write = ledger.begin(offset, length);
    program.ok("write %d %d %d".formatted(offset, length, ledger.payloadSeed(write.version())));
    ledger.end(write);
  }

  private void sync(Child program) throws Exception {
    Ledger.Mark mark = ledger.mark();
    program.ok("sync");
    ledger.acknowledge(mark);
  }

  private void checkWritten(Mounted mounted, long end) throws IOException {
    for (long at = 0; at < end; at += PIECE) {
      ledger.checkView(mounted.read(at, PIECE), at);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aMountThatIsKilledOnAFullDiskComesBackOnIt(Kind kind) throws Exception {
    try (SmallDisk disk = SmallDisk.mount(kind, DISK_MEBIBYTES, folder);
        FileBackend backend = FileBackend.open(served);
        GrpcServer server = GrpcServer.serve(backend).start()) {
      Path cache = disk.folder().resolve("cache");
      Child mount = mount(server, cache);
      assertThat(mount.answer()).isEqualTo("ready");
      Child program = program("rw");
      disk.fillExcept(2 << 20);
      long end = writeUntilFull(program, 0);
      sync(program);
      disk.fill();
      mount.kill();

      Child again = mount(server, cache);
      assertThat(again.answer()).isEqualTo("ready");
      Child reader = program("r");
      for (long at = 0; at < end; at += PIECE) {
        assertThat(reader.tell("read %d %d".formatted(at, PIECE))).startsWith("ok");
      }
      disk.free();
      ledger.checkFile(path);
      again.ok("sync");
      assertThat(bytes(served)).as("served file").isEqualTo(bytes(path));
      reader.ok("close");
      again.ok("close");
      assertThat(again.exitCode()).isZero();
    }
  }

  private Child mount(GrpcServer server, Path cache) throws IOException {
    return children.start(
        MountMain.class,
        server.uri().toString(),
        path.toString(),
        "cache=" + cache,
        "durability=LOCAL",
        "chunkSize=" + CHUNK,
        "pullWorkers=0",
        "pushInterval=3600000");
  }

  @ParameterizedTest
  @EnumSource
  void aProgramThatWritesThroughAMappingIsToldAtMsyncAndNobodyCrashes(Kind kind) throws Exception {
    try (SmallDisk disk = SmallDisk.mount(kind, DISK_MEBIBYTES, folder);
        MemoryBackend zeros = MemoryBackend.of(8 << 20);
        GrpcServer server = GrpcServer.serve(zeros).start();
        Mounted mounted =
            Mounted.managed(
                server.port(), path, mount -> options(mount, disk.folder().resolve("cache")))) {
      mounted.region().awaitLocal(0, 8 << 20, SOON);
      Child program = program("rw");
      program.ok("mapwrite 0 %d".formatted(4 << 20));
      disk.fill();
      program.ok("put 0 %d 5".formatted(2 << 20));
      assertThat(program.tell("msync")).startsWith("error").contains(FULL);
      assertThat(mounted.read(6 << 20, 4096)).isEqualTo(ByteBuffer.allocate(4096));

      disk.free();
      program.ok("put 0 %d 6".formatted(2 << 20));
      program.ok("msync");
      Payload.of(6).verify(mounted.read(0, 2 << 20), 0);
      ByteBuffer remote = ByteBuffer.allocate(2 << 20);
      zeros.read(remote, 0);
      Payload.of(6).verify(remote.flip(), 0);
      program.ok("unmap");
      program.ok("close");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aWriteOfWhichOnlyAPartFoundRoomLeavesNoDifferenceToTheRemote(Kind kind) throws Exception {
    int half = CHUNK / 2;
    try (SmallDisk disk = SmallDisk.mount(kind, DISK_MEBIBYTES, folder);
        MemoryBackend remote = MemoryBackend.of(4 * CHUNK)) {
      remote.write(Payload.of(1).bytes(0, half), 0);
      try (Region region =
          options(ManagedMount.on(remote), disk.folder().resolve("cache")).open()) {
        // The first half of the chunk takes room, the second half is zeros and takes none.
        region.awaitLocal(0, CHUNK, SOON);
        disk.fill();
        assertThatThrownBy(() -> region.write(Payload.of(2).bytes(0, CHUNK), 0))
            .isInstanceOf(NoSpaceException.class);
        disk.free();
        ByteBuffer view = ByteBuffer.allocate(CHUNK);
        region.read(view, 0);
        assertThat(view.slice(half, half)).isEqualTo(ByteBuffer.allocate(half));
        // Nothing of the failed write turns up later where there were zeros.
        region.write(ByteBuffer.wrap(new byte[] {7}), half);
        view.put(half, (byte) 7);
        region.sync();
        ByteBuffer pushed = ByteBuffer.allocate(CHUNK);
        remote.read(pushed, 0);
        assertThat(pushed.flip()).isEqualTo(view.flip());
        region.read(pushed.clear(), 0);
        assertThat(pushed.flip()).isEqualTo(view);
      }
    }
  }

  @Test
  void aWriteThatFailedHalfWayIsSeenAlikeThroughEveryDoor() throws Exception {
    try (SmallDisk disk = SmallDisk.mount(Kind.TMPFS, DISK_MEBIBYTES, folder);
        MemoryBackend remote = MemoryBackend.of(2 * CHUNK);
        GrpcServer server = GrpcServer.serve(remote).start()) {
      remote.write(Payload.of(1).bytes(0, CHUNK), 0);
      try (Mounted mounted =
          Mounted.managed(
              server.port(), path, mount -> options(mount, disk.folder().resolve("cache")))) {
        Child program = program("r");
        String before = program.ok("read 0 %d".formatted(CHUNK));
        mounted.region().awaitLocal(0, 2 * CHUNK, SOON);
        disk.fill();
        assertThatThrownBy(() -> mounted.region().write(Payload.of(2).bytes(0, 2 * CHUNK), 0))
            .isInstanceOf(NoSpaceException.class);
        String after = Program.crc(mounted.read(0, CHUNK));
        assertThat(after).isNotEqualTo(before);
        assertThat(program.ok("read 0 %d".formatted(CHUNK))).isEqualTo(after);
        disk.free();
        program.ok("close");
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aMountIsRefusedWhenThereIsNoRoomForItAndLeavesNothing(Kind kind) throws Exception {
    try (SmallDisk disk = SmallDisk.mount(kind, DISK_MEBIBYTES, folder);
        FileBackend backend = FileBackend.open(served)) {
      Path cache = disk.folder().resolve("cache");
      options(ManagedMount.on(backend), folder.resolve("warm-up")).open().close();
      disk.fill();
      Leaks before = Leaks.snapshot();
      assertThatThrownBy(() -> options(ManagedMount.on(backend), cache).open())
          .isInstanceOf(NoSpaceException.class)
          .hasMessageContaining(cache.toString());
      before.assertNone(SOON);
      assertThat(disk.folder()).isDirectoryNotContaining(file -> file.toString().contains("cache"));
      disk.free();
      try (Region region = options(ManagedMount.on(backend), cache).open()) {
        region.awaitLocal(0, SIZE, SOON);
      }
    }
  }

  @Test
  void aFullDiskUnderTheJournalAloneLosesNothingEither() throws Exception {
    int size = 128 << 20;
    try (SmallDisk disk = SmallDisk.mount(Kind.TMPFS, DISK_MEBIBYTES, folder);
        MemoryBackend remote = MemoryBackend.of(size)) {
      // The bytes are elsewhere; the journal is beside the link.
      Path cache = disk.folder().resolve("cache");
      Files.createSymbolicLink(cache, folder.resolve("bytes"));
      Payload payload = Payload.of(3);
      long written = 0;
      try (Region region =
          options(ManagedMount.on(remote), cache).durability(Durability.LOCAL).open()) {
        disk.fill();
        boolean full = false;
        // Each second block: as many records as blocks.
        for (long at = 0; at < size && !full; at += 8192) {
          try {
            region.write(payload.bytes(at, 4096), at);
            written = at + 4096;
          } catch (NoSpaceException e) {
            assertThat(e).hasMessageContaining(cache + ".journal");
            full = true;
          }
        }
        assertThat(full).isTrue();
        assertThat(written).isGreaterThan(1 << 20);
        assertThatThrownBy(region::flush).isInstanceOf(NoSpaceException.class);
        verify(region, payload, written);
        region.sync();
        disk.free();
        region.write(payload.bytes(written + 4096, 4096), written + 4096);
        written += 8192;
        region.flush();
      }
      try (Region region = options(ManagedMount.on(remote), cache).open()) {
        verify(region, payload, written);
        region.sync();
      }
      ByteBuffer block = ByteBuffer.allocate(4096);
      for (long at = 0; at < written; at += 8192) {
        remote.read(block.clear(), at);
        payload.verify(block.flip(), at);
      }
    }
  }

  private static void verify(Region region, Payload payload, long end) throws IOException {
    ByteBuffer block = ByteBuffer.allocate(4096);
    for (long at = 0; at < end; at += 8192) {
      region.read(block.clear(), at);
      payload.verify(block.flip(), at);
    }
  }

  @ParameterizedTest
  @EnumSource
  void thePullWaitsForRoomWithoutAskingTheRemoteAllTheTime(Kind kind) throws Exception {
    try (SmallDisk disk = SmallDisk.mount(kind, DISK_MEBIBYTES, folder);
        FileBackend file = FileBackend.open(served)) {
      CountingBackend remote = CountingBackend.of(file);
      disk.fillExcept(2 << 20);
      try (Region region =
          options(ManagedMount.on(remote), disk.folder().resolve("cache")).pullWorkers(4).open()) {
        // Some chunks find room, the others are given back.
        awaitReads(remote, 60);
        long before = remote.count(BackendCall.Kind.READ);
        long began = System.nanoTime();
        awaitReads(remote, before + 20);
        double seconds = (System.nanoTime() - began) / 1e9;
        assertThat(20 / seconds).as("reads per second on a full disk").isLessThan(200);
        disk.free();
        region.awaitLocal(1, SOON);
        Awaitility.await().atMost(SOON).until(() -> !region.progress().pulling());
      }
    }
  }

  private static void awaitReads(CountingBackend remote, long count) {
    Awaitility.await().atMost(SOON).until(() -> remote.count(BackendCall.Kind.READ) >= count);
  }

  private Child program(String mode) throws Exception {
    Child program = children.start(Program.class);
    program.ok("open %s %s".formatted(mode, path));
    return program;
  }

  private static ByteBuffer bytes(Path file) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(file));
  }
}
