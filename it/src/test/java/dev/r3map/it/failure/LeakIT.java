package dev.r3map.it.failure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Backends;
import dev.r3map.Device;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.linux.Fuse;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.DelayProxy;
import dev.r3map.testkit.ForwardingBackend;
import dev.r3map.testkit.Leaks;
import dev.r3map.testkit.Payload;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Nothing is left of a mount however it was opened, used and closed. */
class LeakIT {
  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(3));

  @RegisterExtension final Children children = new Children();

  private static final int CHUNK = 64 << 10;
  private static final int SIZE = 32 * CHUNK + 99;
  private static final Payload PAYLOAD = Payload.of(21);

  /** gRPC and Netty take a moment to let go. */
  private static final Duration SOON = Duration.ofSeconds(10);

  @TempDir Path folder;

  private Path path;
  private MemoryBackend memory;

  @BeforeEach
  void warmUp() throws Exception {
    Host.requireFuse();
    path = folder.resolve("mounted");
    memory = MemoryBackend.of(SIZE);
    memory.write(PAYLOAD.bytes(0, SIZE), 0);
    try (GrpcServer server = GrpcServer.serve(memory).start();
        Backend remote = Backends.open(server.uri());
        Region region = managed(remote).cache(folder.resolve("warm-up")).open();
        Device device = Fuse.attach(region, path)) {
      Files.copy(device.path(), folder.resolve("copy"));
      region.sync();
    }
  }

  @AfterEach
  void unmount() throws Exception {
    memory.close();
    Host.unmountBelow(folder.toRealPath());
  }

  private static ManagedMount managed(Backend remote) {
    return ManagedMount.on(remote).chunkSize(CHUNK).ioTimeout(SOON);
  }

  @ParameterizedTest
  @EnumSource
  void whicheverCallOfTheBackendFailsWhileOpeningNothingIsLeft(Failure failure) throws Exception {
    int opened = 0;
    for (int failing = 0; ; failing++) {
      Leaks before = Leaks.snapshot();
      Path cache = folder.resolve("cache-" + failing);
      BrittleBackend brittle = new BrittleBackend(memory, failing, failure::make);
      boolean ok = false;
      try (Region region = managed(brittle.backend()).cache(cache).pullFirst(0.1).open();
          Device device = Fuse.attach(region, path)) {
        assertThat(device.path()).exists();
        ok = true;
        opened++;
      } catch (IOException | IllegalStateException | LinkageError e) {
        assertThat(e).hasStackTraceContaining("injected");
        assertThat(ok || failing < brittle.calls()).isTrue();
      }
      before.assertNone(SOON);
      assertThat(path).doesNotExist();
      if (failing >= brittle.calls()) {
        break;
      }
    }
    assertThat(opened).isPositive();
  }

  @ParameterizedTest
  @ValueSource(strings = {"cached", "memory"})
  void whicheverCallOfThePlatformFailsWhileOpeningNothingIsLeft(String store) throws Exception {
    Child child = opener("brittle-platform", SIZE, store);
    child.ok("mount");
    assertThat(Integer.parseInt(child.ok("failAll"))).isGreaterThanOrEqualTo(4);
    child.ok("close");
  }

  @ParameterizedTest
  @ValueSource(strings = {"cached", "memory"})
  void whateverTheKernelRefusesToALocalStoreNothingIsLeft(String store) throws Exception {
    long size = 1L << 30;
    Child child = opener("", size, store);
    child.ok("mount");
    long pages =
        Long.parseLong(
            Files.readString(Path.of("/proc/" + child.pid() + "/statm")).split(" ", 2)[0]);
    Map<String, String> refusals =
        Map.of(
            "--nofile=1",
            "Too many open files",
            "--fsize=" + size / 2,
            "File too large",
            "--as=" + (pages * 4096 + size / 2),
            "Cannot allocate memory");
    for (Map.Entry<String, String> refusal : refusals.entrySet()) {
      child.ok("remember");
      String limit = refusal.getKey();
      limit(child, limit);
      assertThat(child.tell("mount")).startsWith("error").contains(refusal.getValue());
      limit(
          child, limit.replaceFirst("=.*", limit.startsWith("--nofile") ? "=1024" : "=unlimited"));
      child.ok("compare");
      child.ok("mount");
    }
    child.ok("close");
  }

  /** A soft limit of a process, which can be raised again. */
  private static void limit(Child child, String limit) throws Exception {
    Host.run("prlimit", "--pid", Long.toString(child.pid()), limit + ":");
  }

  /** Opens mounts of a file that begins with the payload. */
  private Child opener(String resources, long size, String store) throws Exception {
    Path served = folder.resolve("served");
    try (FileChannel file =
        FileChannel.open(served, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      file.write(PAYLOAD.bytes(0, SIZE - 1), 0);
      file.write(ByteBuffer.allocate(1), size - 1);
    }
    Path home = Files.createDirectory(folder.resolve("home"));
    return children.startWith(resources, OpenMain.class, home.toString(), served.toString(), store);
  }

  /** Where no cache can be, and what is said. */
  enum BadCache {
    FOLDER_MISSING("o such file"),
    A_FOLDER("is not a cache"),
    JOURNAL_A_FOLDER("journal"),
    READ_ONLY_DISK("ead-only"),
    NOT_A_CACHE("is not a cache"),
    IN_USE("in use"),
    IDENTITY_TOO_LONG("identity");

    private final String message;

    BadCache(String message) {
      this.message = message;
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCacheThatCannotBeIsRefusedAndNothingIsLeft(BadCache bad) throws Exception {
    Path cache = folder.resolve("cache");
    Backend remote = memory;
    List<AutoCloseable> toClose = new ArrayList<>();
    switch (bad) {
      case FOLDER_MISSING -> cache = folder.resolve("missing/cache");
      case A_FOLDER -> Files.createDirectory(cache);
      case JOURNAL_A_FOLDER -> Files.createDirectory(folder.resolve("cache.journal"));
      case READ_ONLY_DISK -> {
        SmallDisk disk = SmallDisk.mount(SmallDisk.Kind.TMPFS, 8, folder);
        Host.run("mount", "-o", "remount,ro", disk.folder().toString());
        toClose.add(disk);
        cache = disk.folder().resolve("cache");
      }
      case NOT_A_CACHE -> Files.writeString(cache, "a letter");
      case IN_USE -> toClose.add(managed(memory).cache(cache).open());
      case IDENTITY_TOO_LONG -> remote = new Named("x".repeat(1 << 20));
    }
    Backend used = remote;
    Path where = cache;
    Leaks before = Leaks.snapshot();
    try {
      assertThatThrownBy(() -> managed(used).cache(where).open())
          .hasMessageContaining(bad == BadCache.IDENTITY_TOO_LONG ? "journal" : where.toString())
          .hasMessageContaining(bad.message);
      before.assertNone(SOON);
    } finally {
      for (AutoCloseable one : toClose) {
        one.close();
      }
    }
  }

  private final class Named extends ForwardingBackend {
    private final String name;

    Named(String name) {
      super(memory);
      this.name = name;
    }

    @Override
    public Optional<String> identity() {
      return Optional.of(name);
    }
  }

  @Test
  void aPathThatCannotBeMountedIsRefusedAndNothingIsLeft() throws Exception {
    Files.createDirectory(path);
    Path used = folder.resolve("used");
    try (Region region = managed(memory).open();
        Device device = Fuse.attach(region, used)) {
      Leaks before = Leaks.snapshot();
      for (Path bad :
          List.of(path, folder.resolve("missing/file"), Path.of("/dev/null"), device.path())) {
        assertThatThrownBy(() -> Fuse.attach(region, bad))
            .isInstanceOf(IOException.class)
            .hasMessageContaining(bad.toString());
      }
      before.assertNone(SOON);
      Payload.of(21).verify(ByteBuffer.wrap(Files.readAllBytes(used)), 0);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"refused", "silent", "closed at once", "wrong token", "wrong size"})
  void aServerThatCannotBeOpenedLeavesNothing(String how) throws Exception {
    Leaks before = Leaks.snapshot();
    BackendOptions options = BackendOptions.DEFAULT.withTimeout(Duration.ofSeconds(1));
    try (GrpcServer server = GrpcServer.serve(memory).token("secret").start();
        DelayProxy proxy = DelayProxy.to(server.port())) {
      URI uri = URI.create("grpc://127.0.0.1:" + proxy.port());
      BackendOptions right = options.withToken("secret");
      BackendOptions used =
          switch (how) {
            case "wrong token" -> options.withToken("wrong");
            case "wrong size" -> right.withSize(SIZE + 1);
            case "silent" -> {
              proxy.stall();
              yield right;
            }
            case "closed at once" -> {
              proxy.cut();
              yield right;
            }
            default -> right;
          };
      URI target = how.equals("refused") ? URI.create("grpc://127.0.0.1:1") : uri;
      long began = System.nanoTime();
      assertThatThrownBy(() -> Backends.open(target, used).close())
          .isInstanceOf(IOException.class)
          .hasMessageContaining(target.toString())
          .hasMessageNotContaining("secret");
      assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(SOON);
      proxy.resume();
      try (Backend remote = Backends.open(uri, right)) {
        assertThat(remote.size()).isEqualTo(SIZE);
      }
    }
    before.assertNone(SOON);
  }

  @Test
  void closingTwiceAndTogetherDoesNoMoreThanClosingOnce() throws Exception {
    Leaks before = Leaks.snapshot();
    try (GrpcServer server = GrpcServer.serve(memory).start()) {
      Backend remote = Backends.open(server.uri());
      List<String> hooks = new ArrayList<>();
      Region region =
          managed(remote)
              .onBeforeClose(() -> {
                synchronized (hooks) {
                  hooks.add("closing");
                }
              })
              .open();
      Device device = Fuse.attach(region, path);
      region.write(Payload.of(5).bytes(0, 4096), 0);
      List<Callable<Void>> closes = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        closes.add(closing(device));
        closes.add(closing(region));
      }
      for (Future<Void> close : together(closes)) {
        close.get(SOON.toSeconds(), TimeUnit.SECONDS);
      }
      for (Callable<Void> again : List.of(closing(device), closing(region))) {
        again.call();
      }
      remote.close();
      remote.close();
      Host.closeNow(server);
      assertThat(hooks).isNotEmpty();
    }
    before.assertNone(SOON);
    assertThat(path).doesNotExist();
    ByteBuffer written = ByteBuffer.allocate(4096);
    memory.read(written, 0);
    Payload.of(5).verify(written.flip(), 0);
  }

  private static Callable<Void> closing(AutoCloseable what) {
    return () -> {
      what.close();
      return null;
    };
  }

  private static <T> List<Future<T>> together(List<Callable<T>> work) {
    List<Future<T>> all = new ArrayList<>();
    for (Callable<T> one : work) {
      FutureTask<T> task = new FutureTask<>(one);
      Thread.ofPlatform().daemon().start(task);
      all.add(task);
    }
    return all;
  }

  @Test
  void closingEndsRequestsInFlightOfEveryDoor() throws Exception {
    Child reader = children.start(Program.class);
    Child syncer = children.start(Program.class);
    Leaks before = Leaks.snapshot();
    try (GrpcServer server = GrpcServer.serve(memory).start();
        DelayProxy proxy = DelayProxy.to(server.port())) {
      URI uri = URI.create("grpc://127.0.0.1:" + proxy.port());
      Backend remote =
          Backends.open(uri, BackendOptions.DEFAULT.withTimeout(Duration.ofSeconds(2)));
      Region region =
          managed(remote)
              .ioTimeout(Duration.ofSeconds(2))
              .pullWorkers(0)
              .cache(folder.resolve("cache"))
              .open();
      Device device = Fuse.attach(region, path);
      reader.ok("open r " + path);
      syncer.ok("open rw " + path);
      syncer.ok("write 0 4096 3");
      FileChannel here = FileChannel.open(path, StandardOpenOption.READ);
      proxy.stall();
      List<Future<Integer>> waiting =
          together(
              List.of(
                  () -> readAll(region, 4 * CHUNK),
                  () -> region.file().read(ByteBuffer.allocate(100), 6 * CHUNK),
                  () -> here.read(ByteBuffer.allocateDirect(100), 8 * CHUNK)));
      reader.begin("read %d 4096".formatted(10 * CHUNK));
      syncer.begin("sync");
      Future<Void> sync =
          together(
                  List.<Callable<Void>>of(() -> {
                    region.sync();
                    return null;
                  }))
              .getFirst();

      long began = System.nanoTime();
      assertThatThrownBy(region::close)
          .isInstanceOf(IOException.class)
          .hasMessageContaining("4096 bytes were not pushed and are kept in")
          .hasMessageContaining(folder.resolve("cache").toString());
      assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(40));
      for (Future<Integer> one : waiting) {
        assertThatThrownBy(() -> one.get(SOON.toSeconds(), TimeUnit.SECONDS))
            .isInstanceOf(ExecutionException.class)
            .cause()
            .isInstanceOf(IOException.class);
      }
      assertThatThrownBy(() -> sync.get(SOON.toSeconds(), TimeUnit.SECONDS))
          .cause()
          .isInstanceOf(IOException.class);
      assertThat(reader.answer()).startsWith("error");
      assertThat(syncer.answer()).startsWith("error");
      here.close();
      device.close();
      remote.close();
    }
    // The programs still hold the file, which is nothing of ours any more.
    before.assertNone(SOON);
    assertThat(path).doesNotExist();
  }

  private static int readAll(Region region, long offset) throws IOException {
    region.read(ByteBuffer.allocate(CHUNK), offset);
    return CHUNK;
  }

  @Test
  void aFileThatAProgramHoldsAndMapsIsTakenAwayAllTheSame() throws Exception {
    Child holder = children.start(Program.class);
    Leaks before = Leaks.snapshot();
    try (GrpcServer server = GrpcServer.serve(memory).start();
        Backend remote = Backends.open(server.uri())) {
      Region region = managed(remote).open();
      Device device = Fuse.attach(region, path);
      holder.ok("open rw " + path);
      holder.ok("mapwrite 0 %d".formatted(2 * CHUNK));
      holder.ok("get 0 100");
      // Stored and never synced: closing fetches it from the kernel.
      holder.ok("put %d 5000 9".formatted(CHUNK));
      device.close();
      region.close();
      assertThat(holder.tell("read %d 4096".formatted(20 * CHUNK))).startsWith("error");
      assertThat(holder.tell("sync")).startsWith("error");
    }
    before.assertNone(SOON);
    assertThat(path).doesNotExist();
    ByteBuffer stored = ByteBuffer.allocate(5000);
    memory.read(stored, CHUNK);
    Payload.of(9).verify(stored.flip(), CHUNK);
  }

  @Test
  void manyReadersAndWritersOfEveryDoorWhileTheCollectorRunsLeaveNothing() throws Exception {
    List<Child> programs = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      programs.add(children.start(Program.class));
    }
    Ledger ledger = new Ledger(SIZE, Seeds.next());
    Path served = ledger.makeFile(folder.resolve("served"));
    Leaks before = Leaks.snapshot();
    AtomicBoolean over = new AtomicBoolean();
    Thread collector =
        Thread.ofPlatform()
            .daemon()
            .name("junit-collector")
            .start(() -> {
              while (!over.get()) {
                System.gc();
                // The others need a processor, too.
                LockSupport.parkNanos(1_000_000);
              }
            });
    try (FileBackend file = FileBackend.open(served);
        GrpcServer server = GrpcServer.serve(file).roundTrip(Duration.ofMillis(1)).start();
        Mounted mounted =
            Mounted.managed(
                server.port(),
                path,
                mount ->
                    mount
                        .chunkSize(CHUNK)
                        .cache(folder.resolve("cache"))
                        .pushInterval(Duration.ofMillis(50)))) {
      SplittableRandom random = new SplittableRandom(1);
      long half = SIZE / 2 / CHUNK * CHUNK;
      for (Child program : programs) {
        program.ok("open r " + path);
        program.ok("map 0 %d".formatted(SIZE));
      }
      try (WriteLoad load = WriteLoad.start(alternating(mounted), ledger, half, 4, random)) {
        for (int i = 0; i < 60; i++) {
          for (Child program : programs) {
            long at = half + random.nextLong(SIZE - half - 8192);
            program.begin((i % 2 == 0 ? "get" : "read") + " %d 8192".formatted(at));
          }
          long at = half + random.nextLong((SIZE - half - 8192) / 512) * 512;
          ledger.checkView(mounted.read(at, 8192), at);
          for (Child program : programs) {
            program.okAnswer();
          }
        }
        load.stop();
      }
      mounted.region().sync();
      ledger.checkFile(path);
      for (Child program : programs) {
        program.ok("unmap");
        program.ok("close");
      }
    } finally {
      over.set(true);
      collector.join();
    }
    ledger.checkFile(served);
    before.assertNone(SOON);
  }

  /** Threads write through the region and through the path in turn. */
  private static WriteLoad.Opener alternating(Mounted mounted) {
    AtomicInteger opened = new AtomicInteger();
    return () ->
        opened.getAndIncrement() % 2 == 0
            ? WriteLoad.Target.of(mounted.region())
            : WriteLoad.Target.open(mounted.path());
  }
}
