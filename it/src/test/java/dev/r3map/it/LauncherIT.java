package dev.r3map.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.it.support.Tool;
import dev.r3map.linux.Fuse;
import dev.r3map.testkit.Watchdog;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * The script {@code r3map} that users start. It runs in a copy of the tree that has no sources, so
 * that it finds what this build has made up to date, and writes nothing to the tree itself.
 */
@Timeout(90)
class LauncherIT {
  private static final int END_SECONDS = 20;

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(2));

  @TempDir static Path tree;

  @TempDir Path folder;

  private static Path launcher;
  private static Path stamp;

  @BeforeAll
  static void copyTheTree() throws Exception {
    assertThat(Fuse.unavailable()).isEmpty();
    Path root = Path.of(System.getProperty("r3map.root"));
    stamp = Path.of("cli/target/dist/stamp");
    assertThat(root.resolve(stamp)).as("the command is built: run Maven with -am").exists();
    for (String part :
        List.of("r3map", "pom.xml", ".mvn/find-jdk.sh", "cli/src/build", "cli/target/dist")) {
      copy(root.resolve(part), tree.resolve(part));
    }
    launcher = tree.resolve("r3map");
    sourcesChange(0);
    // Makes the AOT cache, once for all tests.
    Tool.Outcome first = Tool.run(launcher.toString(), "version").succeeded();
    assertThat(first.errors()).isEmpty();
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.createDirectories(to.getParent());
    try (Stream<Path> all = Files.walk(from)) {
      for (Path path : all.toList()) {
        Path target = path.equals(from) ? to : to.resolve(from.relativize(path));
        Files.copy(path, target, StandardCopyOption.COPY_ATTRIBUTES);
      }
    }
  }

  /** The only file that the launcher takes for a source here, against the time of the build. */
  private static void sourcesChange(int secondsAfterTheBuild) throws IOException {
    FileTime built = Files.getLastModifiedTime(tree.resolve(stamp));
    Files.setLastModifiedTime(
        tree.resolve("pom.xml"),
        FileTime.from(built.toInstant().plusSeconds(secondsAfterTheBuild)));
  }

  @Test
  void itStartsTheCommandThroughALinkAsWellAndBuildsNothingAgain() throws Exception {
    Path current = tree.resolve("cli/target/run/current");
    String before = Files.readString(current);
    Path link = Files.createSymbolicLink(tree.resolve("linked"), Path.of("r3map"));

    Tool.Outcome outcome = Tool.run(link.toString(), "version").succeeded();

    assertThat(outcome.text()).startsWith("r3map ").contains("JDK ");
    assertThat(outcome.errors()).isEmpty();
    assertThat(Files.readString(current)).isEqualTo(before);
    assertThat(tree.resolve("cli/target/run/" + before.strip() + "/r3map.aot")).exists();
  }

  @Test
  void theExitCodeOfTheCommandIsItsOwn() throws Exception {
    assertThat(Tool.run(launcher.toString(), "mont").exitCode()).isEqualTo(2);
    assertThat(Tool.run(launcher.toString(), "info", folder.resolve("missing").toString()))
        .extracting(Tool.Outcome::exitCode)
        .isEqualTo(1);
  }

  @Test
  void whatIsServedIsMountedAndReadAndCtrlCEndsBothWithZero() throws Exception {
    Path served = randomFile();
    Path here = folder.resolve("here");
    String uri = "grpc+unix://" + folder.resolve("socket");
    try (Running serve = Running.start("ready", "serve", served.toString(), "--listen", uri);
        Running mount = Running.start("mounted", "mount", uri, here.toString())) {
      assertThat(here).hasSameBinaryContentAs(served);
      assertThat(mount.interrupt()).isZero();
      assertThat(here).doesNotExist();
      assertThat(serve.interrupt()).isZero();
    } finally {
      Tool.run("umount", "-q", "-l", here.toString());
    }
  }

  @Test
  void aSourceThatChangedIsBuiltFirstAndAFailureOfThatIsShown() throws Exception {
    executable(tree.resolve("mvnw"), "echo 'cannot find symbol'; exit 1");
    sourcesChange(1);
    try {
      Tool.Outcome outcome = Tool.run(launcher.toString(), "version");

      assertThat(outcome.exitCode()).isEqualTo(1);
      assertThat(outcome.text()).isEmpty();
      assertThat(outcome.errors().lines())
          .containsExactly("r3map: building", "cannot find symbol", "r3map: the build failed");
    } finally {
      sourcesChange(0);
    }
  }

  @Test
  void anOlderJdkInJavaHomeIsPassedOver() throws Exception {
    Path older = Files.createDirectories(folder.resolve("jdk-24/bin")).getParent();
    Files.writeString(older.resolve("release"), "JAVA_VERSION=\"24.0.2\"\n");
    executable(older.resolve("bin/javac"), "exit 1");
    executable(older.resolve("bin/java"), "echo older; exit 1");
    String path = Path.of(System.getProperty("java.home"), "bin") + ":" + System.getenv("PATH");

    Tool.Outcome outcome =
        Tool.run("env", "JAVA_HOME=" + older, "PATH=" + path, launcher.toString(), "version");

    assertThat(outcome.succeeded().text()).startsWith("r3map ");
  }

  @Test
  void whereThereIsNoJdkItSaysWhereItLookedAndWhatToDo() throws Exception {
    // Nobody else sees that these folders are empty.
    String hideJdks =
        """
        mount --make-rprivate / || exit 99
        for hidden in /usr/lib/jvm /opt; do
          [ ! -d $hidden ] || mount -t tmpfs none $hidden || exit 99
        done
        unset JAVA_HOME
        HOME=/nonexistent PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "$@"
        """;

    Tool.Outcome outcome =
        Tool.run("unshare", "-m", "sh", "-c", hideJdks, "sh", launcher.toString(), "version");

    assertThat(outcome.exitCode()).as(outcome.errors()).isEqualTo(1);
    assertThat(outcome.text()).isEmpty();
    assertThat(outcome.errors())
        .contains("r3map: no JDK of version 25 or newer found")
        .contains("JAVA_HOME", "/usr/lib/jvm", "Install one");
  }

  @Test
  void aSocketThatListensAlreadyIsServedAsNbd() throws Exception {
    Path served = randomFile();
    Path copy = folder.resolve("copy");

    Tool.text(
        "nbdcopy", "--", "[", launcher.toString(), "serve", served.toString(), "]", copy + "");

    assertThat(copy).hasSameBinaryContentAs(served);
    assertThat(Tool.text("nbdinfo", "--list", "--", "[", launcher + "", "serve", served + "", "]"))
        .contains("export=\"served\"");
  }

  @Test
  void moreThanOneSocketThatListensIsAnError() throws Exception {
    String handOver = "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$@\"";

    Tool.Outcome outcome =
        Tool.run("bash", "-c", handOver, "bash", launcher + "", "serve", randomFile() + "");

    outcome.failedWith("2 sockets were handed over by LISTEN_FDS: one can be served");
  }

  @Test
  void theClientAtStandardInputIsServedUntilItLeaves() throws Exception {
    Path served = randomFile();
    String client =
        """
        import socket, struct, subprocess, sys
        ours, its = socket.socketpair()
        server = subprocess.Popen(sys.argv[2:], stdin=its, stdout=its)
        its.close()
        ours.settimeout(30)
        talk = ours.makefile('rwb')
        assert talk.read(18)[:16] == b'NBDMAGICIHAVEOPT'
        talk.write(struct.pack('>I8sII', 3, b'IHAVEOPT', 1, 0))
        talk.flush()
        size = struct.unpack('>Q', talk.read(10)[:8])[0]
        talk.write(struct.pack('>IHHQQI', 0x25609513, 0, 0, 7, 0, size))
        talk.flush()
        assert talk.read(16) == struct.pack('>IIQ', 0x67446698, 0, 7)
        open(sys.argv[1], 'wb').write(talk.read(size))
        talk.write(struct.pack('>IHHQQI', 0x25609513, 0, 2, 8, 0, 0))
        talk.flush()
        assert talk.read() == b''
        sys.exit(server.wait(30))
        """;
    Path copy = folder.resolve("copy");

    Tool.text(
        "python3",
        "-c",
        client,
        copy.toString(),
        launcher.toString(),
        "serve",
        "--stdio",
        "--json",
        served.toString());

    assertThat(copy).hasSameBinaryContentAs(served);
  }

  @Test
  void withoutAClientAtStandardInputItSaysSo() throws Exception {
    Tool.run(launcher.toString(), "serve", "--stdio", randomFile().toString())
        .failedWith("--stdio: standard input is not the socket of a client");
  }

  private Path randomFile() throws IOException {
    byte[] content = new byte[1_234_567];
    new Random(8).nextBytes(content);
    return Files.write(folder.resolve("served"), content);
  }

  private static void executable(Path file, String script) throws IOException {
    Files.writeString(file, "#!/bin/sh\n" + script + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  /** A command that runs until it is interrupted. */
  private record Running(Process process) implements AutoCloseable {

    /** Returns once the command has printed that event. */
    static Running start(String event, String... arguments) throws IOException {
      // Who runs the tests in the background may have switched that signal off.
      List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT"));
      command.add(launcher.toString());
      command.addAll(List.of(arguments));
      command.add("--json");
      Running running =
          new Running(new ProcessBuilder(command).redirectError(Redirect.INHERIT).start());
      BufferedReader events = running.process.inputReader(StandardCharsets.UTF_8);
      String line = events.readLine();
      if (line == null || !line.contains("\"event\":\"" + event + '"')) {
        running.close();
        throw new AssertionError(String.join(" ", command) + ": " + line);
      }
      return running;
    }

    /** Gives the exit code. */
    int interrupt() throws IOException, InterruptedException {
      Tool.text("kill", "-INT", Long.toString(process.pid()));
      if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("SIGINT does not end " + process.info());
      }
      return process.exitValue();
    }

    @Override
    public void close() {
      process.destroyForcibly();
    }
  }
}
