package dev.r3map.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.linux.Fuse;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MountCommandTest {
  private static final int SIZE = 3_000_001;
  private static final byte[] WRITTEN = "written through the mount".getBytes(ISO_8859_1);
  private static final long OFFSET = 1_000_000;

  @TempDir private Path folder;

  private byte[] content;
  private Path served;
  private Path here;
  private String uri;

  @BeforeEach
  void makeAFile() throws IOException {
    assertThat(Fuse.unavailable()).isEmpty();
    content = new byte[SIZE];
    new Random(5).nextBytes(content);
    served = Files.write(folder.resolve("served"), content);
    here = folder.resolve("here");
    uri = "grpc+unix://" + folder.resolve("socket");
  }

  @ParameterizedTest
  @ValueSource(strings = {"INT", "TERM", "HUP"})
  void whatIsWrittenToAMountIsPushedWhenASignalEndsIt(String signal) throws Exception {
    try (Cli server = serve();
        Cli mount = mount()) {
      assertThat(here).hasBinaryContent(content);
      write();
      assertThat(here).hasBinaryContent(contentAfterWrite());

      mount.signal(signal);
      Cli.Result result = mount.end();

      assertThat(result.code()).as(result.err()).isZero();
      assertThat(served).hasBinaryContent(contentAfterWrite());
      assertThat(here).doesNotExist();
      assertThat(events(result)).first().isEqualTo("mounted");
      assertThat(events(result)).endsWith("sync", "unmounted");
      assertThat(server.isRunning()).isTrue();
    }
  }

  @Test
  void aMountTellsMachinesWhatItIsAndWhenAllOfItIsLocal() throws Exception {
    try (Cli server = serve();
        Cli mount = start(uri, "--pull-first", "--read-only")) {
      assertThat(mount.awaitEvent("mounted"))
          .containsEntry("path", here.toString())
          .containsEntry("resource", uri)
          .containsEntry("size", (long) SIZE)
          .containsEntry("readOnly", true)
          .containsEntry("mode", "managed")
          .containsEntry("pid", mount.pid())
          .containsKey("seconds");
      assertThat(mount.awaitEvent("local")).containsEntry("size", (long) SIZE);

      server.signal("KILL");
      server.end();

      assertThat(here).hasBinaryContent(content);
      mount.signal("TERM");
      assertThat(mount.end().code()).isZero();
    }
  }

  @Test
  void aDirectMountWritesToTheRemoteAtOnce() throws Exception {
    try (Cli server = serve();
        Cli mount = mount("--direct")) {
      assertThat(here).hasBinaryContent(content);

      write();
      sync();

      assertThat(served).hasBinaryContent(contentAfterWrite());
      mount.signal("TERM");
      assertThat(mount.end().code()).isZero();
      assertThat(server.isRunning()).isTrue();
    }
  }

  @Test
  void aReadOnlyMountCannotBeWritten() throws Exception {
    try (Cli mount = start(served.toString(), "--read-only")) {
      assertThat(mount.awaitEvent("mounted")).containsEntry("readOnly", true);

      assertThat(here).hasBinaryContent(content);
      assertThatThrownBy(this::write).isInstanceOf(IOException.class);
      mount.signal("TERM");
      assertThat(mount.end().code()).isZero();
      assertThat(served).hasBinaryContent(content);
    }
  }

  @Test
  void whileTheRemoteIsAwayOneSignalWaitsAndASecondOneTellsWhatWasNotPushed() throws Exception {
    Path cache = folder.resolve("cache");
    try (Cli server = serve();
        Cli mount = mount("--cache", cache.toString(), "--pull-first")) {
      write();
      server.signal("KILL");
      server.end();

      mount.signal("INT");
      mount.awaitError("still 4 KiB to push; Ctrl-C gives up");
      assertThat(mount.isRunning()).isTrue();
      mount.signal("INT");
      Cli.Result result = mount.end();

      assertThat(result.code()).isEqualTo(130);
      assertThat(result.err())
          .contains("4096 bytes (4 KiB) were not pushed and are kept in " + cache);
      assertThat(Json.parse(result.out().lines().toList().getLast()))
          .containsEntry("event", "unmounted")
          .containsEntry("forced", true)
          .containsEntry("notPushed", 4096L);
      assertThat(mounts()).doesNotContain(here.toString());
      assertThat(served).hasBinaryContent(content);
    }
    try (Cli server = serve();
        Cli mount = mount("--cache", cache.toString())) {
      assertThat(here).hasBinaryContent(contentAfterWrite());
      mount.signal("TERM");
      assertThat(mount.end().code()).isZero();
      assertThat(served).hasBinaryContent(contentAfterWrite());
      assertThat(server.isRunning()).isTrue();
    }
  }

  @Test
  void aRemoteThatComesBackInTimeGetsWhatWasWritten() throws Exception {
    try (Cli server = serve();
        Cli mount = mount("--pull-first")) {
      write();
      server.signal("KILL");
      server.end();
      mount.signal("TERM");
      mount.awaitError("pushing 4 KiB, then unmounting");

      try (Cli second = serve()) {
        Cli.Result result = mount.end();

        assertThat(result.code()).as(result.err()).isZero();
        assertThat(served).hasBinaryContent(contentAfterWrite());
        assertThat(second.isRunning()).isTrue();
      }
    }
  }

  @Test
  void anUnmountFromOutsideEndsItInOrder() throws Exception {
    try (Cli server = serve();
        Cli mount = mount()) {
      write();

      assertThat(Cli.runProgram(List.of("umount", here.toString())).code()).isZero();
      Cli.Result result = mount.end();

      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.err()).contains(here + " was unmounted");
      assertThat(served).hasBinaryContent(contentAfterWrite());
      assertThat(server.isRunning()).isTrue();
    }
  }

  @Test
  void aSignalBeforeItIsMountedLeavesNothing() throws Exception {
    try (Cli server = serve("--rtt", "2s");
        Cli mount = start(uri, "--pull-first", "--progress")) {
      mount.awaitError(" %  ");
      mount.signal("INT");
      Cli.Result result = mount.end();

      assertThat(result.code()).as(result.err()).isEqualTo(130);
      assertThat(result.err()).contains("interrupted before");
      assertThat(here).doesNotExist();
      assertThat(server.isRunning()).isTrue();
    }
  }

  @Test
  void aDaemonReturnsWhenTheFileCanBeUsedAndEndsWithTheMount() throws Exception {
    Map<String, String> state = Map.of("XDG_STATE_HOME", folder.toString());
    Cli.Result started =
        Cli.run(state, "mount", served.toString(), here.toString(), "--daemon", "--json");

    assertThat(started.code()).as(started.err()).isZero();
    assertThat(started.err()).contains("umount " + here);
    long pid = (long) Json.parse(started.out()).get("pid");
    ProcessHandle daemon = ProcessHandle.of(pid).orElseThrow();
    try {
      assertThat(here).hasBinaryContent(content);
      write();

      assertThat(Cli.runProgram(List.of("umount", here.toString())).code()).isZero();

      daemon.onExit().get(60, TimeUnit.SECONDS);
      assertThat(served).hasBinaryContent(contentAfterWrite());
    } finally {
      daemon.destroyForcibly();
    }
  }

  @Test
  void aDaemonThatCannotStartSaysWhyAndFails() throws Exception {
    Cli.Result result =
        Cli.run("mount", folder.resolve("missing").toString(), here.toString(), "--daemon");

    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("missing");
    assertThat(here).doesNotExist();
  }

  @Test
  void inAFolderTheFileIsNamedLikeTheResource() throws Exception {
    Path mounts = Files.createDirectory(folder.resolve("mounts"));
    try (Cli mount = Cli.start("mount", served.toString(), mounts.toString(), "--json")) {
      mount.awaitEvent("mounted");

      assertThat(mounts.resolve("served")).hasBinaryContent(content);
      mount.signal("TERM");
      assertThat(mount.end().code()).isZero();
    }
  }

  @Test
  void aPathThatCannotBeMountedIsAnErrorThatSaysWhatToDo() throws Exception {
    Cli.Result noFolder = Cli.run("mount", served.toString(), "/nonexistent/x");
    Cli.Result itself = Cli.run("mount", served.toString(), served.toString());

    assertThat(noFolder.code()).isEqualTo(1);
    assertThat(noFolder.err()).contains("mkdir -p");
    assertThat(itself.code()).isEqualTo(2);
    assertThat(itself.err()).contains("itself");
    try (Cli first = mountOf(served)) {
      Cli.Result second = Cli.run("mount", served.toString(), here.toString());
      assertThat(second.code()).isEqualTo(1);
      assertThat(second.err()).contains("umount");
      assertThat(first.isRunning()).isTrue();
      first.signal("TERM");
      assertThat(first.end().code()).isZero();
    }
  }

  @Test
  void whatAKilledMountLeftIsClearedAway() throws Exception {
    try (Cli killed = mountOf(served)) {
      assertThat(here).hasBinaryContent(content);
      killed.signal("KILL");
      killed.end();
    }
    try (Cli mount = mountOf(served)) {
      assertThat(here).hasBinaryContent(content);
      mount.signal("TERM");
      assertThat(mount.end().code()).isZero();
      assertThat(mounts()).doesNotContain(here.toString());
    }
  }

  @Test
  void tlsWithCertificatesOfBothSidesNeedsNoToken() throws Exception {
    Path certificate = folder.resolve("cert.pem");
    Path key = folder.resolve("key.pem");
    Cli.Result made =
        Cli.runProgram(
            List.of(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-out",
                certificate.toString(),
                "-keyout",
                key.toString()));
    assertThat(made.code()).as(made.err()).isZero();
    String[] ours = {"--tls-cert", certificate.toString(), "--tls-key", key.toString()};
    try (Cli server =
        Cli.start(
            join(
                ours,
                "serve",
                served.toString(),
                "--json",
                "--listen=grpcs://127.0.0.1:0",
                "--tls-client-ca=" + certificate))) {
      String secure = (String) server.awaitEvent("ready").get("listen");
      assertThat(secure).startsWith("grpcs://127.0.0.1:");

      Cli.Result trusted = Cli.run(join(ours, "info", secure, "--tls-ca=" + certificate));
      Cli.Result stranger = Cli.run("info", secure, "--tls-ca=" + certificate);
      Cli.Result untrusting = Cli.run(join(ours, "info", secure));
      Cli.Result plain = Cli.run("info", secure.replace("grpcs:", "grpc:"));

      assertThat(trusted.code()).as(trusted.err()).isZero();
      assertThat(List.of(stranger, untrusting, plain)).allMatch(result -> result.code() == 1);
      assertThat(server.isRunning()).isTrue();
    }
  }

  @Test
  void withoutPushingWhatWasWrittenIsKeptOrLostAsAsked() throws Exception {
    try (Cli server = serve();
        Cli mount = mount("--push-interval", "0", "--pull-first")) {
      write();
      mount.signal("TERM");
      Cli.Result result = mount.end();

      assertThat(result.code()).isZero();
      assertThat(result.err()).contains("4 KiB were not pushed, as asked, and are lost");
      assertThat(served).hasBinaryContent(content);
      assertThat(server.isRunning()).isTrue();
    }
  }

  @Test
  void everyOptionOfPullingAndPushingIsTaken() throws Exception {
    Path order = Files.writeString(folder.resolve("order"), "2MiB\n0x1000\n");
    try (Cli server = serve();
        Cli mount =
            mount(
                "--chunk-size=64KiB",
                "--pull-workers=2",
                "--pull-first=50",
                "--pull-order=" + order,
                "--push-workers=2",
                "--push-interval=100ms",
                "--durability=local",
                "--cache=" + folder.resolve("cache"),
                "--io-timeout=5s",
                "--size=" + SIZE)) {
      assertThat(here).hasBinaryContent(content);
      write();
      mount.signal("TERM");
      assertThat(mount.end().code()).isZero();
      assertThat(served).hasBinaryContent(contentAfterWrite());
      assertThat(server.isRunning()).isTrue();
    }
  }

  @Test
  void tokensComeFromTheEnvironmentOrAFileAndAreSeenNowhere() throws Exception {
    String token = "hunter2-hunter2";
    Path file = Files.writeString(folder.resolve("token"), token + "\n");
    List<String> seen = new ArrayList<>();
    Map<String, String> environment = Map.of("R3MAP_TOKEN", token);
    try (Cli server =
        Cli.start(environment, "serve", served.toString(), "--listen", uri, "-v", "--json")) {
      server.awaitEvent("ready");

      Cli.Result without = Cli.run("info", uri, "-v", "--json");
      Cli.Result wrong = Cli.run(Map.of("R3MAP_TOKEN", "wrong-token"), "info", uri, "-v");
      Cli.Result right = Cli.run("info", uri, "--token-file", file.toString(), "-v");
      try (Cli mount = Cli.start(environment, "mount", uri, here.toString(), "--json", "-vvv")) {
        mount.awaitEvent("mounted");
        assertThat(here).hasBinaryContent(content);
        seen.add(commandLine(mount));
        mount.signal("TERM");
        Cli.Result mounted = mount.end();
        assertThat(mounted.code()).isZero();
        seen.add(mounted.out() + mounted.err());
      }

      seen.add(commandLine(server));
      server.signal("TERM");
      Cli.Result serving = server.end();
      assertThat(without.code()).isEqualTo(1);
      assertThat(without.err()).contains("token");
      assertThat(wrong.code()).isEqualTo(1);
      assertThat(right.code()).as(right.err()).isZero();
      for (Cli.Result result : List.of(without, wrong, right, serving)) {
        seen.add(result.out() + result.err());
      }
      assertThat(seen).noneMatch(text -> text.contains(token) || text.contains("wrong-token"));
    }
  }

  private Cli serve(String... more) throws Exception {
    Cli server = Cli.start(join(more, "serve", served.toString(), "--listen", uri, "--json"));
    server.awaitEvent("ready");
    return server;
  }

  private Cli mount(String... more) throws Exception {
    Cli mount = start(uri, more);
    mount.awaitEvent("mounted");
    return mount;
  }

  private Cli mountOf(Path file) throws Exception {
    Cli mount = start(file.toString());
    mount.awaitEvent("mounted");
    return mount;
  }

  private Cli start(String resource, String... more) throws IOException {
    return Cli.start(join(more, "mount", resource, here.toString(), "--json"));
  }

  private static String[] join(String[] more, String... first) {
    String[] all = Arrays.copyOf(first, first.length + more.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return all;
  }

  private void write() throws IOException {
    try (FileChannel file = FileChannel.open(here, StandardOpenOption.WRITE)) {
      file.write(ByteBuffer.wrap(WRITTEN), OFFSET);
    }
  }

  private void sync() throws IOException {
    try (FileChannel file = FileChannel.open(here, StandardOpenOption.WRITE)) {
      file.force(true);
    }
  }

  private byte[] contentAfterWrite() {
    byte[] changed = content.clone();
    System.arraycopy(WRITTEN, 0, changed, (int) OFFSET, WRITTEN.length);
    return changed;
  }

  private static List<Object> events(Cli.Result result) {
    return result.out().lines().map(line -> Json.parse(line).get("event")).toList();
  }

  private static String mounts() throws IOException {
    return Files.readString(Path.of("/proc/self/mounts"));
  }

  private static String commandLine(Cli cli) throws IOException {
    return Files.readString(Path.of("/proc", Long.toString(cli.pid()), "cmdline"));
  }
}
