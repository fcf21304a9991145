package dev.r3map.linux.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Mounts of users who are not root, through fusermount3: in a mount namespace of their own, where
 * {@code /dev/fuse} is for everybody as on most systems.
 */
@ExtendWith(Mounts.class)
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseUserTest {
  private static final String NOBODY = "65534";

  @TempDir Path dir;

  @BeforeEach
  void needsRootAndTools() throws Exception {
    String tools =
        "test $(id -u) = 0 && command -v unshare && command -v setpriv && command -v fusermount3";
    assertThat(Leaks.run("sh", "-c", tools)).as("needs root, and: " + tools).isZero();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "reads and writes",
        "held open",
        "read only",
        "in flight",
        "fails",
        "stale",
        "unmounted while open"
      })
  void aUserCan(String scenario) throws Exception {
    Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxr-xr-x"));
    Path home = Files.createDirectory(dir.resolve("home of user"));
    assertThat(Leaks.run("chown", NOBODY, home.toString())).isZero();
    String inNamespace =
        """
        mount --make-rprivate / &&
        mount -t tmpfs none /mnt && mknod -m 666 /mnt/fuse c 10 229 &&
        mount --bind /mnt/fuse /dev/fuse &&
        exec setpriv --reuid %s --regid %s --clear-groups "$@"
        """
            .formatted(NOBODY, NOBODY);
    List<String> command = new ArrayList<>(List.of("unshare", "-m", "sh", "-c", inNamespace, "sh"));
    command.addAll(Program.java());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            Classes.path(),
            UserScenarios.class.getName(),
            scenario,
            home.resolve("file").toString()));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try {
      assertThat(output(process)).endsWith("passed\n");
      assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
      assertThat(home).isEmptyDirectory();
    } finally {
      process.destroyForcibly();
    }
  }

  private static String output(Process process) throws IOException {
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }
}
