package dev.r3map.it.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.FileBackend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.it.support.Tool;
import dev.r3map.nbd.NbdExport;
import dev.r3map.nbd.NbdServer;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The NBD server as programs see it that others wrote. */
@Timeout(120)
class NbdClientsIT {
  private static final int SIZE = 64 << 20;
  private static final int DATA = 5 << 20;
  private static final int DATA_AT = 20 << 20;

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(5));

  @TempDir static Path pki;
  private static Certificates certificates;

  @TempDir Path folder;

  private MemoryBackend memory;
  private FileBackend file;
  private NbdServer server;
  private Path image;

  /** How clients reach the server. */
  enum Way {
    TCP,
    UNIX,
    /** TCP, both sides with certificates. */
    TLS
  }

  @BeforeAll
  static void requireTools() {
    Tool.require("nbdinfo", "libnbd-bin");
    Tool.require("nbdcopy", "libnbd-bin");
    Tool.require("qemu-img", "qemu-utils");
    Tool.require("qemu-io", "qemu-utils");
    Tool.require("fio", "fio");
    Tool.require("nbdkit", "nbdkit");
  }

  @BeforeAll
  static void issueCertificates() throws Exception {
    certificates = Certificates.issue(pki);
  }

  /** A sparse image with data in the middle. */
  @BeforeEach
  void makeImage() throws Exception {
    image = folder.resolve("image");
    byte[] bytes = new byte[DATA];
    new SplittableRandom(DATA).nextBytes(bytes);
    try (FileChannel channel =
        FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(bytes), DATA_AT);
      channel.write(ByteBuffer.wrap(new byte[1]), SIZE - 1);
    }
    memory = MemoryBackend.of(SIZE);
    Path served = folder.resolve("served");
    Tool.text("cp", "--sparse=always", image.toString(), served.toString());
    file = FileBackend.open(served);
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    memory.close();
    file.close();
  }

  private String serve(Way way) throws IOException {
    NbdServer.Builder builder =
        NbdServer.serve(
            List.of(
                NbdExport.of("memory", memory).withDescription("some memory"),
                NbdExport.of("file", file).withReadOnly(false)));
    server =
        switch (way) {
          case TCP -> builder.start();
          case UNIX -> builder.listen(folder.resolve("socket")).start();
          case TLS ->
              builder
                  .tls(certificates.serverCertificate(), certificates.serverKey())
                  .clientCa(certificates.ca())
                  .start();
        };
    return export("memory");
  }

  private String export(String name) {
    URI uri = server.uri();
    if (uri.getScheme().equals("nbds")) {
      return "nbds://localhost:%d/%s?tls-certificates=%s".formatted(uri.getPort(), name, pki);
    }
    return uri.getQuery() == null
        ? uri + "/" + name
        : "nbd+unix:///%s?%s".formatted(name, uri.getRawQuery());
  }

  @ParameterizedTest
  @EnumSource
  void nbdinfoSaysWhatThereIs(Way way) throws Exception {
    String uri = serve(way);
    assertThat(Tool.text("nbdinfo", "--json", uri))
        .contains("\"protocol\": \"newstyle-fixed\"")
        .contains("\"structured\": true")
        .contains("\"export-name\": \"memory\"")
        .contains("\"description\": \"some memory\"")
        .contains("\"export-size\": " + SIZE)
        .contains("base:allocation")
        .contains("\"can_multi_conn\": true")
        .contains("\"can_fast_zero\": true")
        .contains("\"can_df\": true")
        .contains("\"is_read_only\": false")
        .contains("\"block_size_maximum\": 33554432");
    assertThat(Tool.text("nbdinfo", "--list", uri))
        .contains("export=\"memory\"", "export=\"file\"", "some memory");
    assertThat(Tool.text("nbdinfo", "--map", "--totals", export("file")))
        .containsPattern(DATA + " .* 0 +data")
        .containsPattern(" 3 +hole,zero");
  }

  @ParameterizedTest
  @EnumSource
  void nbdcopyCopiesBothWays(Way way) throws Exception {
    String uri = serve(way);
    Path back = folder.resolve("back");
    Tool.text("nbdcopy", image.toString(), uri);
    Tool.text("nbdcopy", "--connections=4", "--requests=64", uri, back.toString());
    assertThat(Files.mismatch(image, back)).isEqualTo(-1);
    assertThat(memory.extents(0, DATA_AT).getFirst().hole()).isTrue();
    Tool.text("nbdcopy", "--allocated", image.toString(), uri);
    assertThat(memory.extents(0, SIZE).getFirst().hole()).isFalse();
    Tool.text("nbdcopy", export("file"), uri);
    Tool.text("nbdcopy", "--synchronous", uri, back.toString());
    assertThat(Files.mismatch(image, back)).isEqualTo(-1);
  }

  @Test
  void qemuEncryptsToo() throws Exception {
    serve(Way.TLS);
    String credentials = "tls-creds-x509,id=t,dir=%s,endpoint=client".formatted(pki);
    String disk =
        "driver=nbd,host=localhost,port=%d,export=file,tls-creds=t".formatted(server.port());
    assertThat(
            Tool.text(
                "qemu-img", "map", "--output=json", "--object", credentials, "--image-opts", disk))
        .contains("\"start\": %d, \"length\": %d".formatted(DATA_AT, DATA));
    assertThat(
            Tool.text(
                "qemu-io",
                "--object",
                credentials,
                "-c",
                "write -P 0x55 1M 3M",
                "-c",
                "flush",
                "-c",
                "read -P 0x55 1M 3M",
                "--image-opts",
                disk))
        .doesNotContain("failed", "error");
  }

  @Test
  void nobodyComesInWithoutTlsOrACertificateWhereTheyAreRequired() throws Exception {
    serve(Way.TLS);
    Tool.run("nbdinfo", "--size", "nbd://localhost:" + server.port()).failedWith("requires TLS");
    Path lone = Files.createDirectory(folder.resolve("lone"));
    Files.copy(certificates.ca(), lone.resolve("ca-cert.pem"));
    String uri = "nbds://localhost:%d/?tls-certificates=%s".formatted(server.port(), lone);
    assertThat(Tool.run("nbdinfo", "--size", uri).exitCode()).isNotZero();
  }

  @ParameterizedTest
  @EnumSource(names = {"TCP", "UNIX"})
  void qemuImgConvertsComparesMapsAndMeasures(Way way) throws Exception {
    String uri = serve(way);
    String source = image.toString();
    Tool.text("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", source, uri);
    assertThat(Tool.text("qemu-img", "compare", "-f", "raw", "-F", "raw", source, uri))
        .contains("identical");
    assertThat(Tool.text("qemu-img", "map", "--output=json", "-f", "raw", uri))
        .contains("\"start\": %d, \"length\": %d".formatted(DATA_AT, DATA));
    Tool.text("qemu-img", "bench", "-c", "2000", "-d", "16", "-s", "4096", "-f", "raw", uri);
    Tool.text("qemu-img", "bench", "-w", "-c", "2000", "-d", "32", "-s", "4096", "-f", "raw", uri);
  }

  @ParameterizedTest
  @EnumSource(names = {"TCP", "UNIX"})
  void qemuIoFindsWhatItWrote(Way way) throws Exception {
    serve(way);
    for (String export : List.of("memory", "file")) {
      String said =
          Tool.text(
              "qemu-io",
              "-f",
              "raw",
              "-c",
              "write -P 0x55 1M 64k",
              "-c",
              "write -f -P 0x66 2M 64k",
              "-c",
              "write -z 3M 1M",
              "-c",
              "write -zu 4M 1M",
              "-c",
              "discard 5M 1M",
              "-c",
              "flush",
              "-c",
              "aio_write -P 0x77 6M 64k",
              "-c",
              "aio_flush",
              "-c",
              "read -P 0x55 1M 64k",
              "-c",
              "read -P 0x66 2M 64k",
              "-c",
              "read -P 0 3M 2M",
              "-c",
              "read -P 0x77 6M 64k",
              export(export));
      assertThat(said).doesNotContain("failed", "error");
    }
  }

  /** Not with TLS: fio gives its library no certificates. */
  @ParameterizedTest
  @EnumSource(names = {"TCP", "UNIX"})
  void fioVerifiesWhatItWrites(Way way) throws Exception {
    serve(way);
    for (String export : List.of("memory", "file")) {
      Tool.run(
              Duration.ofSeconds(60),
              List.of(
                  "fio",
                  "--name=r3map",
                  "--ioengine=nbd",
                  "--uri=" + export(export),
                  "--rw=randrw",
                  "--bssplit=512/20:4k/60:256k/20",
                  "--iodepth=32",
                  "--size=32M",
                  "--verify=crc32c",
                  "--verify_fatal=1",
                  "--verify_state_save=0"))
          .succeeded();
    }
  }

  @ParameterizedTest
  @EnumSource
  void nbdkitProxiesIt(Way way) throws Exception {
    String uri = serve(way);
    List<String> command = new ArrayList<>(List.of("nbdkit", "-U", "-", "nbd"));
    if (way == Way.TLS) {
      command.add("hostname=localhost");
      command.add("port=" + server.port());
      command.add("export=memory");
      command.add("tls=require");
      command.add("tls-certificates=" + pki);
    } else {
      command.add("uri=" + uri);
    }
    command.add("--run");
    command.add("nbdinfo --size \"$uri\"");
    assertThat(Tool.text(command.toArray(String[]::new))).isEqualTo("" + SIZE);
  }

  /** Not with TLS: it refuses to be told of certificates. */
  @ParameterizedTest
  @EnumSource(names = {"TCP", "UNIX"})
  void nbdfuseShowsItAsAFile(Way way) throws Exception {
    String uri = serve(way);
    Path mount = Files.createDirectory(folder.resolve("mount"));
    Process nbdfuse = new ProcessBuilder("nbdfuse", mount + "/disk", uri).inheritIO().start();
    try {
      Path disk = mount.resolve("disk");
      long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
      while (!Files.exists(disk)) {
        assertThat(System.nanoTime()).isLessThan(deadline);
        Thread.sleep(10);
      }
      Tool.text("dd", "if=" + image, "of=" + disk, "bs=1M", "conv=notrunc,fsync");
      Tool.text("cmp", image.toString(), disk.toString());
    } finally {
      Tool.run("fusermount3", "-u", mount.toString());
      if (!nbdfuse.waitFor(10, TimeUnit.SECONDS)) {
        nbdfuse.destroyForcibly();
      }
    }
  }
}
