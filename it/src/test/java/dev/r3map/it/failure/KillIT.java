package dev.r3map.it.failure;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.Durability;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.FileBackend;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.spi.FrontendRegion;
import dev.r3map.spi.LocalView;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Processes that end with SIGKILL at random moments, while programs write and chunks are pulled.
 */
@Timeout(value = 4, unit = TimeUnit.MINUTES)
class KillIT {
  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(5));

  /** Not a whole number of chunks, blocks or sectors. */
  private static final long SIZE = (24 << 20) + 4096 + 1234;

  private static final int CHUNK = 64 << 10;
  private static final int BLOCK = 4096;
  private static final int WRITERS = 3;

  /** For each durability; together 50. */
  private static final int KILLS = 25;

  /** After so many kills everything is pulled, and a new resource is more to the point. */
  private static final int KILLS_OF_A_CACHE = 9;

  private static final int SERVER_KILLS = 20;

  /** With one puller: a resource takes some lives of the mount to be pulled. */
  private static final Duration ROUND_TRIP = Duration.ofMillis(6);

  private static final Duration LONGEST_START = Duration.ofMillis(900);
  private static final Duration LONGEST_LIFE = Duration.ofMillis(500);

  /** As long as a flush takes, so that a kill meets every part of one. */
  private static final Duration LONGEST_MOMENT = Duration.ofMillis(100);

  @RegisterExtension final Children children = new Children();

  @TempDir Path folder;

  private final SplittableRandom random = new SplittableRandom(Seeds.next());

  @BeforeEach
  void setUp() {
    Host.requireFuse();
  }

  @AfterEach
  void unmount() throws Exception {
    Host.unmountBelow(folder.toRealPath());
  }

  @ParameterizedTest
  @EnumSource
  void everyByteWhoseFsyncReturnedSurvivesKillsOfTheMount(Durability durability) throws Exception {
    int kills = 0;
    for (int number = 0; kills < KILLS; number++) {
      int ofThis = Math.min(KILLS_OF_A_CACHE, KILLS - kills);
      livesOfOneCache(Files.createDirectory(folder.resolve("cache-" + number)), durability, ofThis);
      kills += ofThis;
    }
  }

  private void livesOfOneCache(Path home, Durability durability, int kills) throws Exception {
    Ledger ledger = new Ledger(SIZE, random.nextLong());
    Path served = ledger.makeFile(home.resolve("served"));
    Path cache = home.resolve("cache");
    Path path = home.resolve("mounted");
    try (FileBackend backend = FileBackend.open(served);
        GrpcServer server = GrpcServer.serve(backend).roundTrip(ROUND_TRIP).start()) {
      for (int kill = 0; kill < kills; kill++) {
        String uri = server.uri().toString();
        if (random.nextInt(5) == 0) {
          killWhileItStarts(uri, path, cache, durability);
        } else {
          killWhileItIsWritten(uri, path, cache, durability, ledger);
        }
        if (durability == Durability.REMOTE) {
          ledger.checkServed(served);
        }
        // Otherwise the next life is the first to read the torn journal.
        if (random.nextInt(3) > 0) {
          checkLocal(served, cache, ledger);
        }
      }
      lastLife(server.uri().toString(), path, cache, durability, ledger);
      assertThat(view(served)).as("served file").isEqualTo(view(home.resolve("seen")));
    }
    assertThat(Host.mountsBelow(home.toRealPath())).isEmpty();
  }

  private Child mount(String uri, Path path, Path cache, Durability durability) throws IOException {
    return children.start(
        MountMain.class,
        uri,
        path.toString(),
        "cache=" + cache,
        "durability=" + durability,
        "chunkSize=" + CHUNK,
        "pullWorkers=1",
        "pushInterval=100");
  }

  private void killWhileItStarts(String uri, Path path, Path cache, Durability durability)
      throws Exception {
    try (Child mount = mount(uri, path, cache, durability)) {
      mount.goOn(Duration.ofNanos(random.nextLong(LONGEST_START.toNanos())));
      mount.kill();
    }
  }

  private void killWhileItIsWritten(
      String uri, Path path, Path cache, Durability durability, Ledger ledger) throws Exception {
    try (Child mount = mount(uri, path, cache, durability)) {
      assertThat(mount.answer()).isEqualTo("ready");
      try (WriteLoad load = WriteLoad.start(path, ledger, WRITERS, random)) {
        mount.goOn(Duration.ofNanos(random.nextLong(LONGEST_LIFE.toNanos())));
        mount.kill();
        load.awaitFailure();
      }
    }
  }

  /** What was written is in the cache, and what the cache takes for present is right. */
  private static void checkLocal(Path served, Path cache, Ledger ledger) throws Exception {
    if (!Files.exists(cache)) {
      return;
    }
    try (FileBackend remote = FileBackend.open(served);
        Region region =
            ManagedMount.on(remote)
                .cache(cache)
                .chunkSize(CHUNK)
                .readOnly(true)
                .pullWorkers(0)
                .open()) {
      LocalView local = ((FrontendRegion) region).local().orElseThrow();
      for (long at = 0; at < SIZE; at += BLOCK) {
        int length = (int) Math.min(BLOCK, SIZE - at);
        if (local.isLocal(at, length)) {
          ByteBuffer bytes = ByteBuffer.allocate(length);
          region.read(bytes, at);
          ledger.checkView(bytes.flip(), at);
        } else {
          assertThat(ledger.isWritten(at, length))
              .as("block at %d is not local though it was written", at)
              .isFalse();
        }
      }
    }
  }

  /** Everything is seen through the path, reaches the remote, and the mount ends in order. */
  private void lastLife(String uri, Path path, Path cache, Durability durability, Ledger ledger)
      throws Exception {
    try (Child mount = mount(uri, path, cache, durability)) {
      assertThat(mount.answer()).isEqualTo("ready");
      ledger.checkFile(path);
      mount.ok("sync");
      Files.copy(path, path.resolveSibling("seen"));
      mount.ok("close");
      assertThat(mount.exitCode()).isZero();
    }
  }

  @Test
  void theMountGoesOnAndLosesNothingWhenItsServerIsKilled() throws Exception {
    Ledger ledger = new Ledger(SIZE, random.nextLong());
    Path served = ledger.makeFile(folder.resolve("served"));
    Path path = folder.resolve("mounted");
    Child server = serve(served, 0);
    int port = port(server);
    Child mount =
        mount("grpc://127.0.0.1:" + port, path, folder.resolve("cache"), Durability.REMOTE);
    assertThat(mount.answer()).isEqualTo("ready");
    try (WriteLoad load = WriteLoad.start(path, ledger, WRITERS, random)) {
      for (int kill = 0; kill < SERVER_KILLS; kill++) {
        load.awaitSyncs(load.syncs() + random.nextInt(4));
        server.goOn(Duration.ofNanos(random.nextLong(LONGEST_MOMENT.toNanos())));
        server.kill();
        ledger.checkServed(served);
        server = serve(served, port);
        assertThat(port(server)).isEqualTo(port);
        load.requireGoingOn();
      }
      load.stop();
      assertThat(load.syncs()).isGreaterThan(SERVER_KILLS);
    }
    ledger.checkFile(path);
    mount.ok("sync");
    assertThat(view(served)).as("served file").isEqualTo(view(path));
    mount.ok("close");
    assertThat(mount.exitCode()).isZero();
  }

  private Child serve(Path served, int port) throws IOException {
    return children.start(ServeMain.class, served.toString(), Integer.toString(port));
  }

  private static int port(Child server) throws InterruptedException {
    String ready = server.answer();
    assertThat(ready).startsWith("ready ");
    return Integer.parseInt(ready.substring("ready ".length()));
  }

  /** All bytes of a file. */
  private static ByteBuffer view(Path file) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(file));
  }
}
