package dev.r3map.it.failure;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.Durability;
import dev.r3map.testkit.Watchdog;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What {@link KillIT} leaves to chance: the process is killed between any two changes of the cache,
 * its journal and the remote, and the power fails there.
 */
class CrashIT {
  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(2));

  @RegisterExtension final Children children = new Children();

  /** In memory: thousands of caches are opened, and each of them forces its journal. */
  private static final Path MEMORY = Path.of("/dev/shm");

  @TempDir Path disk;

  @ParameterizedTest
  @EnumSource
  void everyMomentAtWhichTheProcessMayDieLeavesACacheThatLostNothing(Durability durability)
      throws Exception {
    long seed = Seeds.next();
    Path home = Files.isWritable(MEMORY) ? Files.createTempDirectory(MEMORY, "r3map") : disk;
    try {
      Child child =
          children.startWith(
              "recording-platform",
              CrashMain.class,
              home.toString(),
              durability.toString(),
              Long.toString(seed));
      int moments = Integer.parseInt(child.okAnswer());
      assertThat(moments).isGreaterThan(500);
      assertThat(child.exitCode()).isZero();
    } finally {
      Host.run("rm", "-rf", home.toString());
    }
  }
}
