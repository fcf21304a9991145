package dev.r3map.it.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.r3map.grpc.GrpcServer;
import dev.r3map.it.data.Setting.Kind;
import dev.r3map.it.data.Setting.Store;
import dev.r3map.it.data.Setting.Wire;
import dev.r3map.it.support.FileTester;
import dev.r3map.it.support.Sqlite;
import dev.r3map.it.support.Tool;
import dev.r3map.testkit.DelayProxy;
import dev.r3map.testkit.Payload;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Programs that know nothing of us do with a mounted file what they do with any file. */
@ExtendWith(MountsAndLeavesNothing.class)
@Timeout(90)
class ProgramsIT {
  private static final int CHUNK = 64 << 10;
  private static final int SIZE = (3 << 20) + 123;
  private static final long GIB = 1 << 30;
  private static final Payload PAYLOAD = Payload.of(1);

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(2));

  @TempDir static Path tools;

  @TempDir Path folder;

  /** What is served, and the same bytes elsewhere. */
  private Path served;

  private Path plain;
  private Path mount;

  @BeforeAll
  static void needsPrograms() {
    Sqlite.require();
    Tool.require("gcc", "gcc");
    Tool.require("cmp", "diffutils");
  }

  @BeforeEach
  void layOut() throws IOException {
    served = folder.resolve("served");
    plain = Files.write(folder.resolve("plain"), PAYLOAD.bytes(0, SIZE).array());
    mount = folder.resolve("mount");
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void programsReadTheBytesOfTheResource(Kind kind) throws Exception {
    Path copy = folder.resolve("copy");
    try (Served resource = serve(kind);
        Mounted mounted = Mounted.writable(mount, resource.uri(), setting(kind))) {
      succeeds("cmp", plain, mounted.path());
      assertThat(hash(mount)).isEqualTo(hash(plain));
      succeeds("cp", mount, copy);
      assertThat(copy).hasSameBinaryContentAs(plain);
      shell("tail -c 70000 mount | cmp - <(tail -c 70000 plain)");
      shell(
          "dd status=none bs=1000 skip=1234 count=77 if=mount | cmp - <(tail -c +1234001 plain | head -c 77000)");
      shell("rm copy; dd status=none bs=64K iflag=direct if=mount of=copy");
      assertThat(copy).hasSameBinaryContentAs(plain);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void manyProgramsReadAtOnce(Kind kind) throws Exception {
    try (Served resource = serve(kind);
        Mounted mounted = Mounted.readOnly(mount, resource.uri(), setting(kind));
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<String>> readers = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        readers.add(() -> hash(mounted.path()));
      }
      String expected = hash(plain);
      for (Future<String> hash : executor.invokeAll(readers)) {
        assertThat(hash.get()).isEqualTo(expected);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void whatAProgramWroteAndSyncedIsInTheResource(Kind kind) throws Exception {
    try (Served resource = serve(kind);
        Mounted _ = Mounted.writable(mount, resource.uri(), setting(kind))) {
      shell("tr '\\000-\\377' '\\001-\\377\\000' <plain >other");
      shell("dd status=none bs=100003 conv=notrunc,fsync if=other of=mount");
      shell("cmp served other && cmp mount other");
      shell(
          "dd status=none bs=64K count=10 seek=7 oflag=direct conv=notrunc,fsync if=plain of=mount");
      shell("dd status=none bs=64K count=10 seek=7 conv=notrunc if=plain of=other");
      shell("cmp served other && cmp mount other");
    }
    shell("cmp served other");
  }

  @Test
  void aProgramThatWouldEmptyTheFileFirstIsRefusedAndHarmsNothing() throws Exception {
    try (Served resource = serve(Kind.MANAGED);
        Mounted mounted = Mounted.writable(mount, resource.uri(), setting(Kind.MANAGED))) {
      fails("Operation not permitted", "cp", folder.resolve("served"), mount);
      fails("Operation not permitted", "dd", "if=/dev/zero", "of=" + mount, "count=1");
      fails("Operation not permitted", "sh", "-c", "echo new >'" + mount + "'");
      mounted.region().sync();
      shell("cmp served plain && cmp mount plain");
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aCProgramMapsTheFile(Kind kind) throws Exception {
    Path mapper = compileMapper();
    byte[] bytes = Files.readAllBytes(plain);
    try (Served resource = serve(kind)) {
      try (Mounted mounted = Mounted.writable(mount, resource.uri(), setting(kind))) {
        assertThat(succeeds(mapper, "hash", mount)).isEqualTo(fnv(bytes));
        Arrays.fill(bytes, 100_000, SIZE, (byte) 7);
        assertThat(succeeds(mapper, "fill", mount, 100_000, SIZE - 100_000, 7))
            .isEqualTo(fnv(bytes));
        assertThat(served).hasBinaryContent(bytes);
        succeeds(mapper, "scribble", mount);
        assertThat(succeeds(mapper, "hash", mount)).isEqualTo(fnv(bytes));
        mounted.remount();
        assertThat(succeeds(mapper, "hash", mount)).isEqualTo(fnv(bytes));
      }
      try (Mounted _ = Mounted.readOnly(mount, resource.uri(), setting(kind))) {
        assertThat(succeeds(mapper, "hash", mount)).isEqualTo(fnv(bytes));
        assertThat(Tool.run(mapper.toString(), "fill", mount.toString(), "0", "1", "1").text())
            .isEqualTo("open: Read-only file system");
      }
    }
  }

  @Test
  void sqliteQueriesADatabaseOnAReadOnlyMount() throws Exception {
    Files.delete(plain);
    Sqlite.create(plain, 1 << 20);
    try (Served resource = serve(Kind.MANAGED);
        Mounted _ = Mounted.readOnly(mount, resource.uri(), setting(Kind.MANAGED))) {
      assertThat(Sqlite.query(mount, "select sum(balance) from account"))
          .isEqualTo("" + Sqlite.TOTAL);
      assertThat(Sqlite.query(mount, "pragma integrity_check")).isEqualTo("ok");
      assertThat(Tool.run("sqlite3", mount.toString(), "delete from account").errors())
          .contains("readonly database");
    }
  }

  @Test
  void theFileIsThereAtOnceThoughToPullItTakesLong() throws Exception {
    Duration roundTrip = Duration.ofMillis(20);
    long bandwidth = 20 << 20;
    Duration pullingTakes = Duration.ofSeconds(GIB / bandwidth);
    try (GrpcServer server = GrpcServer.serve(new PayloadBackend(PAYLOAD, GIB)).start();
        DelayProxy network = DelayProxy.to(server.port())) {
      network.delay(roundTrip.dividedBy(2)).bandwidth(bandwidth);
      URI uri = URI.create("grpc://127.0.0.1:" + network.port());
      Setting setting = new Setting(Kind.MANAGED, 256 << 10, GIB, Store.MEMORY, Wire.TCP);
      long begin = System.nanoTime();
      try (Mounted mounted = Mounted.readOnly(mount, uri, setting)) {
        assertThat(succeeds("stat", "-c", "%s", mount)).isEqualTo("" + GIB);
        for (long offset : new long[] {0, GIB / 2 + 5 * CHUNK, GIB - CHUNK}) {
          Files.write(plain, PAYLOAD.bytes(offset, CHUNK).array());
          succeeds("cmp", "--ignore-initial=0:" + offset, "--bytes=" + CHUNK, plain, mount);
        }
        assertThat(mounted.region().progress().fractionLocal()).isLessThan(0.5);
      }
      assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(pullingTakes.dividedBy(3));
    }
  }

  @Test
  void itsAttributesAreThoseOfAFileOfFixedSize() throws Exception {
    try (Served resource = serve(Kind.MANAGED);
        Mounted mounted = Mounted.writable(mount, resource.uri(), setting(Kind.MANAGED))) {
      assertThat(succeeds("stat", "-c", "%F %s", mount)).isEqualTo("regular file " + SIZE);
      succeeds("chmod", "640", mount);
      assertThat(succeeds("stat", "-c", "%a", mount)).isEqualTo("640");
      succeeds("touch", "-d", "2001-02-03 04:05:06.5Z", mount);
      assertThat(succeeds("date", "-u", "-r", mount, "+%F %T.%1N"))
          .isEqualTo("2001-02-03 04:05:06.5");
      shell("dd status=none bs=1 count=1 conv=notrunc if=plain of=mount");
      assertThat(succeeds("date", "-u", "-r", mount, "+%Y")).isNotEqualTo("2001");

      succeeds("truncate", "-s", SIZE, mount);
      fails("Operation not permitted", "truncate", "-s", SIZE - 1, mount);
      fails("Operation not permitted", "truncate", "-s", SIZE + 1, mount);
      fails("File too large", "dd", "if=" + plain, "of=" + mount, "oflag=append", "conv=notrunc");
      fails("Device or resource busy", "rm", mount);
      fails("Device or resource busy", "mv", mount, folder.resolve("elsewhere"));
      assertThat(succeeds("stat", "-c", "%s", mount)).isEqualTo("" + SIZE);

      mounted.region().sync();
      shell("cmp served plain && cmp mount plain");
    }
    assertThat(mount).doesNotExist();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aReadOnlyMountCannotBeWritten(Kind kind) throws Exception {
    String refusal = "Read-only file system";
    try (Served resource = serve(kind);
        Mounted _ = Mounted.readOnly(mount, resource.uri(), setting(kind))) {
      fails(refusal, "dd", "if=" + plain, "of=" + mount, "conv=notrunc");
      fails(refusal, "sh", "-c", "echo more >>'" + mount + "'");
      fails(refusal, "cp", plain, mount);
      fails(refusal, "truncate", "-s", 0, mount);
      fails(refusal, "touch", mount);
      fails(refusal, "chmod", "777", mount);
      assertThat(succeeds("stat", "-c", "%A", mount)).isEqualTo("-r--r--r--");
      shell("cmp served plain && cmp mount plain");
    }
  }

  /**
   * The kernel copies what is written into its cache before it asks; mappings must not keep that,
   * and a store beside it must not carry it to the resource.
   */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void aRefusedWriteLeavesNoTrace(Kind kind) throws Exception {
    Model model = new Model(SIZE);
    long end = SIZE - 100;
    try (Served resource = serve(kind);
        FileTester program = FileTester.start();
        Mounted mounted = Mounted.writable(mount, resource.uri(), setting(kind))) {
      model.write(end, 100, 2);
      program.open(mount);
      program.write(end, 100, 2);
      assertThat(program.readMap(end, 100)).isEqualTo(Payload.of(2).bytes(end, 100).array());

      assertThatThrownBy(() -> program.writeOnce(end, 101, 3))
          .hasMessageContaining("File too large");
      await().untilAsserted(() -> model.verify("the mapping", program.readMap(end, 100), end, 100));
      program.writeMap(end, 1, 4);
      model.write(end, 1, 4);
      program.fsync();

      model.verify("the file", program.read(end, 100), end, 100);
      byte[] bytes = new byte[100];
      resource.read(ByteBuffer.wrap(bytes), end);
      model.verify("the resource", bytes, end, 100);
      program.closeFile();
      mounted.region().sync();
    }
  }

  private Served serve(Kind kind) throws IOException {
    Files.copy(plain, served, StandardCopyOption.REPLACE_EXISTING);
    return Served.start(setting(kind), folder);
  }

  private Setting setting(Kind kind) throws IOException {
    return new Setting(kind, CHUNK, Files.size(plain), Store.FILE, Wire.UNIX);
  }

  private static Path compileMapper() throws Exception {
    Path source = tools.resolve("mapper.c");
    Path program = tools.resolve("mapper");
    try (InputStream in = ProgramsIT.class.getResourceAsStream("mapper.c")) {
      Files.write(source, in.readAllBytes());
    }
    succeeds("gcc", "-O1", "-Wall", "-Werror", "-o", program, source);
    return program;
  }

  private static String fnv(byte[] bytes) {
    long hash = 0xcbf29ce484222325L;
    for (byte b : bytes) {
      hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
    }
    return "%016x".formatted(hash);
  }

  private static String hash(Path file) throws IOException, InterruptedException {
    return succeeds("sha256sum", file).split(" ", -1)[0];
  }

  /** In the folder of the test. */
  private void shell(String script) throws IOException, InterruptedException {
    succeeds("bash", "-c", "cd '" + folder + "' && " + script);
  }

  private static String succeeds(Object... command) throws IOException, InterruptedException {
    return Tool.run(strings(command)).succeeded().text();
  }

  private static void fails(String message, Object... command)
      throws IOException, InterruptedException {
    Tool.run(strings(command)).failedWith(message);
  }

  private static String[] strings(Object... command) {
    return Arrays.stream(command).map(Object::toString).toArray(String[]::new);
  }
}
