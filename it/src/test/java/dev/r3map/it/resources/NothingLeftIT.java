package dev.r3map.it.resources;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Backends;
import dev.r3map.Device;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.linux.Fuse;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.FaultyBackend;
import dev.r3map.testkit.Leaks;
import dev.r3map.testkit.Payload;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Counts threads, descriptors, mappings and mounts before and after. */
@ExtendWith(Watchdog.class)
class NothingLeftIT {
  private static final int SIZE = 8 << 20;
  private static final int CHUNK = 64 << 10;
  private static final Duration SOON = Duration.ofSeconds(10);

  @TempDir Path folder;
  private int caches;

  @BeforeEach
  void warmUp() throws Exception {
    useEverything(false);
  }

  /** A server, a client, a region and a mount of it. */
  private void useEverything(boolean cached) throws Exception {
    try (Backend served = filled();
        GrpcServer server = GrpcServer.serve(served).start();
        Backend remote = Backends.open(server.uri());
        Region region = mount(remote, cached).open();
        Device device = Fuse.attach(region, folder.resolve("file"))) {
      Programs.run("cat", device.path().toString());
      region.sync();
    }
  }

  private ManagedMount mount(Backend remote, boolean cached) {
    ManagedMount mount = ManagedMount.on(remote).chunkSize(CHUNK).ioTimeout(Duration.ofSeconds(5));
    return cached ? mount.cache(folder.resolve("cache" + caches++)) : mount;
  }

  private static Backend filled() throws IOException {
    Backend backend = MemoryBackend.of(SIZE);
    backend.write(Payload.of(1).bytes(0, SIZE), 0);
    return backend;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void afterAnOrdinaryUse(boolean cached) throws Exception {
    Leaks before = Leaks.snapshot();
    for (int i = 0; i < 3; i++) {
      useEverything(cached);
    }
    before.assertNone(SOON);
  }

  @Test
  void afterManyReadersAndWritersWhileTheCollectorRuns() throws Exception {
    Leaks before = Leaks.snapshot();
    try (Backend served = filled();
        GrpcServer server = GrpcServer.serve(served).roundTrip(Duration.ofMillis(2)).start();
        Backend remote = Backends.open(server.uri());
        Region region =
            mount(remote, true)
                .pushInterval(Duration.ofMillis(50))
                .ioTimeout(Duration.ofMinutes(1))
                .open();
        Device device = Fuse.attach(region, folder.resolve("file"))) {
      AtomicBoolean done = new AtomicBoolean();
      Thread collector =
          Thread.ofPlatform()
              .start(() -> {
                while (!done.get()) {
                  System.gc();
                }
              });
      try (ExecutorService pool = Executors.newFixedThreadPool(16)) {
        List<Future<?>> users = new ArrayList<>();
        for (int user = 0; user < 16; user++) {
          int seed = user;
          users.add(pool.submit(() -> use(region, device.path(), seed)));
        }
        for (Future<?> user : users) {
          user.get();
        }
      } finally {
        done.set(true);
        collector.join();
      }
      region.sync();
    }
    before.assertNone(SOON);
  }

  /** Reads everything and writes a sixteenth: even users through the path, odd ones in process. */
  private static Void use(Region region, Path path, int user) throws IOException {
    Random random = new Random(user);
    int share = SIZE / 16;
    int own = user * share;
    Payload payload = Payload.of(100 + user);
    try (FileChannel file =
        user % 2 == 0
            ? FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)
            : region.file()) {
      for (int i = 0; i < 60; i++) {
        int length = 1 + random.nextInt(20_000);
        ByteBuffer any = ByteBuffer.allocateDirect(length);
        file.read(any, random.nextInt(SIZE - length));
        int at = own + random.nextInt(share - length);
        file.write(payload.bytes(at, length), at);
        file.read(any.clear(), at);
        payload.verify(any.flip(), at);
      }
      file.force(false);
    }
    return null;
  }

  @ParameterizedTest
  @EnumSource(BackendCall.Kind.class)
  void afterAnOpenThatFailsAtACallOfTheBackend(BackendCall.Kind kind) throws Exception {
    Leaks before = Leaks.snapshot();
    try (FaultyBackend remote = FaultyBackend.of(filled());
        FaultyBackend.Fault fault = remote.fail(BackendCall.of(kind))) {
      try (Region region =
              mount(remote, true).ioTimeout(Duration.ofMillis(100)).pullFirst(1).open();
          Device device = Fuse.attach(region, folder.resolve("file"))) {
        assertThat(device.path()).isNotNull();
      } catch (IOException e) {
        assertThat(e).hasMessageNotContaining("null");
      }
      assertThat(fault.hits()).isNotNegative();
    }
    before.assertNone(SOON);
    assertThat(folder.resolve("file")).doesNotExist();
  }

  @Test
  void afterAnOpenThatFailsBecauseOfItsPath() throws Exception {
    Leaks before = Leaks.snapshot();
    try (Backend remote = filled();
        Region region = mount(remote, false).open()) {
      Files.createDirectory(folder.resolve("directory"));
      assertThatThrownBy(() -> Fuse.attach(region, folder.resolve("directory")))
          .isInstanceOf(IOException.class);
      assertThatThrownBy(() -> Fuse.attach(region, folder.resolve("no/such/folder")))
          .isInstanceOf(IOException.class);
      assertThatThrownBy(() -> mount(remote, false).cache(folder.resolve("no/such/cache")).open())
          .isInstanceOf(IOException.class);
    }
    before.assertNone(SOON);
  }

  @Test
  void afterAServerThatIsNotThereOrRefusesUs() throws Exception {
    int free;
    try (ServerSocket socket = new ServerSocket(0)) {
      free = socket.getLocalPort();
    }
    Leaks before = Leaks.snapshot();
    BackendOptions hasty = BackendOptions.DEFAULT.withTimeout(Duration.ofMillis(500));
    assertThatThrownBy(() -> Backends.open(URI.create("grpc://127.0.0.1:" + free), hasty))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("127.0.0.1:" + free);
    try (Backend served = filled();
        GrpcServer server = GrpcServer.serve(served).token("right").start()) {
      assertThatThrownBy(() -> Backends.open(server.uri(), hasty.withToken("wrong")))
          .isInstanceOf(IOException.class)
          .hasMessageNotContaining("wrong")
          .hasMessageNotContaining("right");
    }
    before.assertNone(SOON);
  }

  @Test
  void afterAServerThatGoesAwayWhileItIsUsed() throws Exception {
    Leaks before = Leaks.snapshot();
    Region region;
    Backend remote;
    try (Backend served = filled()) {
      GrpcServer server = GrpcServer.serve(served).start();
      remote = Backends.open(server.uri());
      region = mount(remote, true).pullWorkers(0).ioTimeout(Duration.ofMillis(200)).open();
      Device device = Fuse.attach(region, folder.resolve("file"));
      try (FileChannel path = FileChannel.open(device.path(), StandardOpenOption.WRITE)) {
        path.write(ByteBuffer.allocate(4096), 0);
      }
      server.close();
    }
    assertThatThrownBy(region::close)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("4096 bytes were not pushed");
    region.close();
    remote.close();
    before.assertNone(SOON);
    assertThat(folder.resolve("file")).doesNotExist();
  }
}
