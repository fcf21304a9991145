package dev.r3map.it.data;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.cli.Main;
import dev.r3map.it.support.ChildJvm;
import dev.r3map.it.support.Sqlite;
import dev.r3map.it.support.Tool;
import dev.r3map.testkit.Watchdog;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The two commands of the README, in processes of their own. */
@ExtendWith(MountsAndLeavesNothing.class)
@Timeout(90)
class CommandLineIT {
  private static final int END_SECONDS = 20;

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(2));

  @TempDir Path folder;

  @Test
  void aServedDatabaseIsUsedThroughAMountAndBothCommandsEndWithZero() throws Exception {
    Path served = folder.resolve("shop.db");
    Path here = folder.resolve("here.db");
    Sqlite.create(served, 1 << 20);
    String uri = "grpc+unix://" + folder.resolve("socket");
    try (Command serve = new Command("ready", "serve", served.toString(), "--listen", uri);
        Command mount = new Command("mounted", "mount", uri, here.toString())) {
      assertThat(Sqlite.query(here, "select sum(balance) from account"))
          .isEqualTo("" + Sqlite.TOTAL);
      Tool.text("sqlite3", here.toString(), "insert into done values (7)");
      assertThat(mount.end()).isZero();
      assertThat(here).doesNotExist();
      assertThat(serve.end()).isZero();
    }
    assertThat(Sqlite.query(served, "select number from done")).isEqualTo("7");
  }

  @Test
  void aCachingProxyForNbdClientsPushesWhatTheyWrote() throws Exception {
    Path served = folder.resolve("disk.img");
    byte[] bytes = new byte[8 << 20];
    new SplittableRandom(8).nextBytes(bytes);
    Files.write(served, bytes);
    String uri = "grpc+unix://" + folder.resolve("grpc");
    Path socket = folder.resolve("nbd");
    String disk = "nbd+unix:///disk?socket=" + socket;
    Path copy = folder.resolve("copy.img");
    try (Command serve = new Command("ready", "serve", served.toString(), "--listen", uri)) {
      try (Command proxy =
          new Command(
              "ready",
              "serve",
              "disk=" + uri,
              "--managed",
              "--cache=" + folder.resolve("cache"),
              "--listen",
              "nbd+unix://" + socket)) {
        Tool.text("nbdcopy", disk, copy.toString());
        assertThat(Files.mismatch(served, copy)).isEqualTo(-1);
        assertThat(Tool.text("nbdinfo", "--map=qemu:allocation-depth", disk))
            .containsPattern("0 +8388608 +1");
        Tool.text("qemu-io", "-f", "raw", "-c", "write -P 0x55 1M 64k", disk);
        assertThat(proxy.end()).isZero();
      }
      assertThat(serve.end()).isZero();
    }
    byte[] after = Files.readAllBytes(served);
    Arrays.fill(bytes, 1 << 20, (1 << 20) + (64 << 10), (byte) 0x55);
    assertThat(Arrays.equals(after, bytes)).isTrue();
  }

  /** Runs until it is ended. */
  private static final class Command implements AutoCloseable {
    private final Process process;

    /** Returns once the command has printed that event. */
    Command(String awaited, String... arguments) throws IOException {
      process = ChildJvm.start(Main.class, arguments(arguments));
      BufferedReader events = process.inputReader(StandardCharsets.UTF_8);
      String event = "\"event\":\"" + awaited + '"';
      String line = events.readLine();
      while (line != null && !line.contains(event)) {
        line = events.readLine();
      }
      if (line == null) {
        close();
        throw new AssertionError(String.join(" ", arguments) + " ended before it was " + awaited);
      }
    }

    private static String[] arguments(String... arguments) {
      String[] all = Arrays.copyOf(arguments, arguments.length + 1);
      all[arguments.length] = "--json";
      return all;
    }

    /** SIGTERM; gives the exit code. */
    int end() throws InterruptedException {
      process.destroy();
      if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("SIGTERM does not end " + process.info());
      }
      return process.exitValue();
    }

    @Override
    public void close() {
      process.destroyForcibly();
    }
  }
}
