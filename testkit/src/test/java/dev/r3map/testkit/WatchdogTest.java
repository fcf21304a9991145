package dev.r3map.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WatchdogTest {
  @TempDir private Path folder;

  @Test
  void whatEndsInTimeIsLeftAlone() {
    Leaks.snapshot();
    Leaks before = Leaks.snapshot();

    Watchdog.watch("quick", Duration.ofMinutes(1)).close();

    before.assertNone(Duration.ofSeconds(10));
  }

  @Test
  void hangingJvmIsHaltedAndItsThreadsAreShown() throws Exception {
    Process child = start("hang");

    assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();

    assertThat(child.exitValue()).isEqualTo(Watchdog.EXIT_CODE);
    assertThat(output())
        .contains("watchdog: hanging test")
        .contains("who-hangs-here")
        .contains("WatchdogTest$Child.hang");
  }

  @Test
  void frozenJvmIsKilledFromOutside() throws Exception {
    Process child = start("freeze");

    assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();

    int killed = 128 + 9;
    assertThat(child.exitValue()).isEqualTo(killed);
    assertThat(output()).contains("hanging test hangs and process " + child.pid());
  }

  private Process start(String how) throws IOException {
    return new ProcessBuilder(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xshare:auto",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                classPath(),
                Child.class.getName(),
                how))
        .redirectErrorStream(true)
        .redirectOutput(folder.resolve("output").toFile())
        .start();
  }

  private String output() throws IOException {
    return Files.readString(folder.resolve("output"), StandardCharsets.UTF_8);
  }

  /** As class path what is on the module path here. */
  private static String classPath() {
    return String.join(
        ":",
        System.getProperty("jdk.module.path", ""),
        System.getProperty("java.class.path", ""),
        Path.of("target", "test-classes").toAbsolutePath().toString(),
        Path.of("target", "classes").toAbsolutePath().toString());
  }

  /** The JVM that hangs. */
  static final class Child {
    private Child() {}

    @SuppressWarnings("resource") // Never closed: that is what it is about.
    public static void main(String[] args) throws Exception {
      new Watchdog.Watch("hanging test", Duration.ofMillis(500), Duration.ofSeconds(1));
      if (args[0].equals("freeze")) {
        long pid = ProcessHandle.current().pid();
        new ProcessBuilder("kill", "-STOP", Long.toString(pid)).start().waitFor();
      }
      Thread.ofVirtual().name("who-hangs-here").start(Child::hang).join();
    }

    private static void hang() {
      while (true) {
        LockSupport.park();
      }
    }
  }
}
