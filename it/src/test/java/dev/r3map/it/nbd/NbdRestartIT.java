package dev.r3map.it.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.cli.Main;
import dev.r3map.it.nbd.OtherServer.Place;
import dev.r3map.it.support.ChildJvm;
import dev.r3map.it.support.Tool;
import dev.r3map.testkit.Watchdog;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Servers that are killed while they are used, and come back. */
@Timeout(120)
class NbdRestartIT {
  private static final int SIZE = 192 << 20;
  private static final int HOLE_AT = 40 << 20;
  private static final int HOLE = 16 << 20;

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(8));

  @TempDir Path folder;

  private Path image;
  private Path served;

  enum Kind {
    NBDKIT,
    QEMU_NBD,
    NBD_SERVER,
    OURS
  }

  @BeforeAll
  static void requireTools() {
    Tool.require("nbdkit", "nbdkit");
    Tool.require("qemu-nbd", "qemu-utils");
    Tool.require("nbd-server", "nbd-server");
  }

  /** An image with a hole, and an empty file to be served. */
  @BeforeEach
  void makeFiles() throws IOException {
    image = folder.resolve("image");
    served = folder.resolve("served");
    byte[] bytes = new byte[SIZE];
    new SplittableRandom(SIZE).nextBytes(bytes);
    try (FileChannel channel =
        FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(bytes, 0, HOLE_AT), 0);
      channel.write(ByteBuffer.wrap(bytes).position(HOLE_AT + HOLE), HOLE_AT + HOLE);
    }
    try (FileChannel channel =
        FileChannel.open(served, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.allocate(1), SIZE - 1);
    }
  }

  private OtherServer serve(Kind kind, Path file) throws Exception {
    return switch (kind) {
      case NBDKIT ->
          OtherServer.nbdkit(
              Place.unix(folder), "--filter=rate", "file", file.toString(), "rate=800M");
      case QEMU_NBD -> OtherServer.qemuNbd(Place.unix(folder), file);
      case NBD_SERVER -> OtherServer.nbdServer(Place.tcp(), file);
      case OURS -> OtherServer.ours(file, folder.resolve("socket"));
    };
  }

  @ParameterizedTest
  @EnumSource
  void aCopyToAServerThatIsKilledIsComplete(Kind kind) throws Exception {
    try (OtherServer server = serve(kind, served)) {
      copyWithAKill(server, image.toString(), server.uri().toString(), served);
    }
    assertThat(Files.mismatch(image, served)).isEqualTo(-1);
  }

  @ParameterizedTest
  @EnumSource
  void aCopyFromAServerThatIsKilledIsComplete(Kind kind) throws Exception {
    Path back = folder.resolve("back");
    try (OtherServer server = serve(kind, image)) {
      copyWithAKill(server, server.uri().toString(), back.toString(), back);
    }
    assertThat(Files.mismatch(image, back)).isEqualTo(-1);
    assertThat(allocated(back)).isLessThanOrEqualTo(allocated(image) + (1 << 20));
  }

  /** The command, as a user runs it; the server dies when a part is done. */
  private static void copyWithAKill(OtherServer server, String from, String to, Path target)
      throws Exception {
    Process copy =
        ChildJvm.start(
            Main.class, "copy", from, to, "--workers", "2", "--chunk-size", "64KiB", "--json");
    try (BufferedReader events = copy.inputReader(StandardCharsets.UTF_8)) {
      long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
      while (!Files.exists(target) || allocated(target) < SIZE / 8) {
        assertThat(System.nanoTime()).isLessThan(deadline);
        assertThat(copy.isAlive()).isTrue();
      }
      server.kill();
      assertThat(allocated(target)).isLessThan(SIZE - HOLE - (8 << 20));
      server.start();
      assertThat(events.lines().reduce((_, last) -> last).orElse(""))
          .contains("\"event\":\"copied\"");
      assertThat(copy.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(copy.exitValue()).isZero();
    } finally {
      copy.destroyForcibly();
    }
  }

  private static long allocated(Path file) throws Exception {
    return 512 * Long.parseLong(Tool.text("stat", "-c", "%b", file.toString()));
  }

  @ParameterizedTest
  @EnumSource
  void aMountOutlivesItsServerAndPushesWhatThatMayHaveLost(Kind kind) throws Exception {
    byte[] bytes = new byte[8 << 20];
    new SplittableRandom(7).nextBytes(bytes);
    try (OtherServer server = serve(kind, served);
        Backend remote = server.open();
        Region region = ManagedMount.on(remote).pushInterval(Duration.ofMillis(50)).open()) {
      region.write(ByteBuffer.wrap(bytes), 5000);
      region.sync();
      region.write(ByteBuffer.wrap(bytes), 20 << 20);
      server.kill();
      region.write(ByteBuffer.wrap(bytes), 30 << 20);
      server.start();
      region.sync();
      server.kill();
    }
    ByteBuffer there = ByteBuffer.allocate(SIZE);
    try (FileChannel channel = FileChannel.open(served)) {
      channel.read(there, 0);
    }
    for (int at : new int[] {5000, 20 << 20, 30 << 20}) {
      assertThat(there.slice(at, bytes.length)).isEqualTo(ByteBuffer.wrap(bytes));
    }
  }
}
