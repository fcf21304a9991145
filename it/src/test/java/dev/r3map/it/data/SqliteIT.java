package dev.r3map.it.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.r3map.it.data.Setting.Kind;
import dev.r3map.it.data.Setting.Store;
import dev.r3map.it.data.Setting.Wire;
import dev.r3map.it.support.Sqlite;
import dev.r3map.it.support.Tool;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.AnnotatedElementContext;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.io.TempDirFactory;

/** A database lives in a mounted file, and its server dies now and then. */
@ExtendWith(MountsAndLeavesNothing.class)
@Timeout(SqliteIT.LIMIT_SECONDS)
class SqliteIT {
  static final int LIMIT_SECONDS = 400;

  private static final int TRANSACTIONS = 10_000;
  private static final int KILLS = 3;
  private static final long SIZE = 16 << 20;
  private static final Duration PATIENCE = Duration.ofSeconds(LIMIT_SECONDS);

  @RegisterExtension
  static final Watchdog WATCHDOG = Watchdog.after(Duration.ofSeconds(LIMIT_SECONDS + 30));

  @TempDir Path disk;

  /** Holds the mount point and, beside it, the journal; the speed of a disk is not tested here. */
  @TempDir(factory = SharedMemory.class)
  Path folder;

  /** A temporary folder in memory, where there is such a thing. */
  static final class SharedMemory implements TempDirFactory {
    private static final Path MEMORY = Path.of("/dev/shm");

    @Override
    public Path createTempDirectory(
        AnnotatedElementContext elementContext, ExtensionContext extensionContext)
        throws IOException {
      return Files.isWritable(MEMORY)
          ? Files.createTempDirectory(MEMORY, "r3map-it")
          : Files.createTempDirectory("r3map-it");
    }
  }

  @BeforeAll
  static void needsSqlite() {
    Sqlite.require();
  }

  @Test
  void aDatabaseSurvivesThatItsServerIsKilledThreeTimes() throws Exception {
    Path served = disk.resolve("served.db");
    Path database = folder.resolve("shop.db");
    Sqlite.create(served, SIZE);
    Setting setting = new Setting(Kind.MANAGED, 256 << 10, SIZE, Store.FILE, Wire.UNIX);
    try (ServerProcess server = ServerProcess.start(served, disk.resolve("socket"));
        Mounted mounted = Mounted.writable(database, server.uri(), setting)) {
      try (Sqlite transactions = Sqlite.transactions(database, TRANSACTIONS)) {
        for (int kill = 1; kill <= KILLS; kill++) {
          int number = TRANSACTIONS / (KILLS + 1) * kill;
          await()
              .atMost(PATIENCE)
              .until(() -> transactions.committed() >= number || transactions.ended());
          server.kill();
          // Transactions wait meanwhile: a server takes longer to start than one of them.
          server.start();
          assertThat(sumOfAccounts(database)).isEqualTo(Sqlite.TOTAL);
        }
        await().atMost(PATIENCE).until(transactions::ended);
        assertThat(transactions.committed()).isEqualTo(TRANSACTIONS);
      }
      verify(database);
      mounted.region().sync();
      assertThat(served).hasSameBinaryContentAs(Path.of(copy(database)));
    }
    verify(served);
  }

  private String copy(Path file) throws Exception {
    String copy = disk.resolve("copy").toString();
    Tool.run("cp", file.toString(), copy).succeeded();
    return copy;
  }

  private static void verify(Path database) throws Exception {
    assertThat(Sqlite.query(database, "pragma integrity_check")).isEqualTo("ok");
    assertThat(sumOfAccounts(database)).isEqualTo(Sqlite.TOTAL);
    assertThat(Sqlite.query(database, "select min(number), max(number), count(*) from done"))
        .isEqualTo("1|%1$d|%1$d".formatted(TRANSACTIONS));
  }

  private static long sumOfAccounts(Path database) throws Exception {
    return Long.parseLong(Sqlite.query(database, "select sum(balance) from account"));
  }
}
