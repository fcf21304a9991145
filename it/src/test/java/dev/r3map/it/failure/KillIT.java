package dev.r3map.it.failure;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.Durability;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.FileBackend;
import dev.r3map.cli.Main;
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

  /** Who mounts. */
  enum Mount {
    LIBRARY_LOCAL(Durability.LOCAL, 20),
    LIBRARY_REMOTE(Durability.REMOTE, 20),
    COMMAND(Durability.REMOTE, 10);

    private final Durability durability;

    /** How often it is killed while it is being written; together 50. */
    private final int kills;

    Mount(Durability durability, int kills) {
      this.durability = durability;
      this.kills = kills;
    }

    Child start(Children children, String uri, Path path, Path cache) throws IOException {
      if (this == COMMAND) {
        return children.start(
            Main.class,
            "mount",
            uri,
            path.toString(),
            "--json",
            "--cache=" + cache,
            "--chunk-size=" + CHUNK,
            "--pull-workers=1",
            "--push-interval=100ms");
      }
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

    void awaitReady(Child mount) throws InterruptedException {
      assertThat(mount.answer()).startsWith(this == COMMAND ? "{\"event\":\"mounted\"" : "ready");
    }

    /** Has everything pushed and the path unmounted. */
    void end(Child mount) throws InterruptedException {
      if (this == COMMAND) {
        mount.terminate();
      } else {
        mount.ok("sync");
        mount.ok("close");
      }
      assertThat(mount.exitCode()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyByteWhoseFsyncReturnedSurvivesKillsOfTheMount(Mount who) throws Exception {
    int kills = 0;
    for (int number = 0; kills < who.kills; number++) {
      int ofThis = Math.min(KILLS_OF_A_CACHE, who.kills - kills);
      livesOfOneCache(Files.createDirectory(folder.resolve("cache-" + number)), who, ofThis);
      kills += ofThis;
    }
  }

  private void livesOfOneCache(Path home, Mount who, int kills) throws Exception {
    Ledger ledger = new Ledger(SIZE, random.nextLong());
    Path served = ledger.makeFile(home.resolve("served"));
    Path cache = home.resolve("cache");
    Path path = home.resolve("mounted");
    try (FileBackend backend = FileBackend.open(served);
        GrpcServer server = GrpcServer.serve(backend).roundTrip(ROUND_TRIP).start()) {
      String uri = server.uri().toString();
      for (int kill = 0; kill < kills; ) {
        if (random.nextInt(5) == 0) {
          killWhileItStarts(who, uri, path, cache);
        } else if (killWhileItIsWritten(who, uri, path, cache, ledger)) {
          kill++;
        }
        if (who.durability == Durability.REMOTE) {
          ledger.checkServed(served);
        }
        // Otherwise the next life is the first to read the torn journal.
        if (random.nextInt(3) > 0) {
          checkLocal(served, cache, ledger);
        }
      }
      lastLife(who, uri, path, cache, ledger);
      assertThat(view(served)).as("served file").isEqualTo(view(home.resolve("seen")));
    }
    assertThat(Host.mountsBelow(home.toRealPath())).isEmpty();
  }

  private void killWhileItStarts(Mount who, String uri, Path path, Path cache) throws Exception {
    try (Child mount = who.start(children, uri, path, cache)) {
      mount.goOn(Duration.ofNanos(random.nextLong(LONGEST_START.toNanos())));
      mount.kill();
    }
  }

  /** Whether any write had returned by then. */
  private boolean killWhileItIsWritten(Mount who, String uri, Path path, Path cache, Ledger ledger)
      throws Exception {
    try (Child mount = who.start(children, uri, path, cache)) {
      who.awaitReady(mount);
      try (WriteLoad load = WriteLoad.start(path, ledger, WRITERS, random)) {
        mount.goOn(Duration.ofNanos(random.nextLong(LONGEST_LIFE.toNanos())));
        boolean written = load.writes() > 0;
        mount.kill();
        load.awaitFailure();
        return written;
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
  private void lastLife(Mount who, String uri, Path path, Path cache, Ledger ledger)
      throws Exception {
    try (Child mount = who.start(children, uri, path, cache)) {
      who.awaitReady(mount);
      ledger.checkFile(path);
      Files.copy(path, path.resolveSibling("seen"));
      who.end(mount);
    }
  }

  @Test
  void theMountGoesOnAndLosesNothingWhenItsServerIsKilled() throws Exception {
    Ledger ledger = new Ledger(SIZE, random.nextLong());
    Path served = ledger.makeFile(folder.resolve("served"));
    Path path = folder.resolve("mounted");
    Child server = serve(served, 0);
    int port = port(server);
    Mount who = Mount.LIBRARY_REMOTE;
    Child mount = who.start(children, "grpc://127.0.0.1:" + port, path, folder.resolve("cache"));
    who.awaitReady(mount);
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
    who.end(mount);
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
