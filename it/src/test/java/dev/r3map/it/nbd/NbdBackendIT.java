package dev.r3map.it.nbd;

import dev.r3map.backend.Backend;
import dev.r3map.it.nbd.OtherServer.Place;
import dev.r3map.it.support.Tool;
import dev.r3map.testkit.BackendConformance;
import dev.r3map.testkit.ForwardingBackend;
import dev.r3map.testkit.Payload;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The contract of a backend, over servers that others wrote. */
class NbdBackendIT {
  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(8));

  private static Certificates certificates;

  @BeforeAll
  static void requireTools() {
    Tool.require("nbdkit", "nbdkit");
    Tool.require("qemu-nbd", "qemu-utils");
    Tool.require("nbd-server", "nbd-server");
    Tool.require("openssl", "openssl");
  }

  @BeforeAll
  static void issueCertificates(@TempDir Path pki) throws Exception {
    certificates = Certificates.issue(pki);
  }

  abstract static class Conformance extends BackendConformance {
    @TempDir Path folder;

    /** Serves a file. */
    abstract OtherServer serve(Path file, boolean readOnly) throws Exception;

    @Override
    protected Backend create(long size) throws Exception {
      return new Client(serve(file(size), false));
    }

    @Override
    protected Optional<Backend> reopen(Backend backend) throws IOException {
      return Optional.of(((Client) backend).reopen());
    }

    @Override
    protected Optional<Backend> createReadOnly(long size, Payload content) throws Exception {
      Path file = file(size);
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.write(content.bytes(0, Math.toIntExact(size)), 0);
      }
      return Optional.of(new Client(serve(file, true)));
    }

    Path file(long size) throws IOException {
      Path file = folder.resolve(UUID.randomUUID() + ".img");
      try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
        made.setLength(size);
      }
      return file;
    }
  }

  abstract static class Nbdkit extends Conformance {
    abstract Place place() throws IOException;

    @Override
    OtherServer serve(Path file, boolean readOnly) throws Exception {
      String access = readOnly ? "--read-only" : "--threads=16";
      return OtherServer.nbdkit(place(), access, "file", file.toString());
    }
  }

  @Nested
  class OverNbdkitAndTcp extends Nbdkit {
    @Override
    Place place() throws IOException {
      return Place.tcp();
    }
  }

  @Nested
  class OverNbdkitAndAUnixSocket extends Nbdkit {
    @Override
    Place place() {
      return Place.unix(folder);
    }
  }

  @Nested
  class OverNbdkitsMemory extends Nbdkit {
    @Override
    Place place() {
      return Place.unix(folder);
    }

    @Override
    protected Backend create(long size) throws Exception {
      return new Client(OtherServer.nbdkit(place(), "memory", "" + size));
    }
  }

  /** It refuses what does not keep to its blocks, or carries too much. */
  @Nested
  class OverNbdkitWithBlocks extends Conformance {
    @Override
    OtherServer serve(Path file, boolean readOnly) throws Exception {
      return OtherServer.nbdkit(
          Place.unix(folder),
          readOnly ? "--read-only" : "--threads=16",
          "--filter=blocksize-policy",
          "file",
          file.toString(),
          "blocksize-minimum=4096",
          "blocksize-preferred=64K",
          "blocksize-maximum=256K",
          "blocksize-error-policy=error");
    }

    /** The end of its export must be the end of a block. */
    @Override
    protected int sizeUnit() {
      return 4096;
    }
  }

  @Nested
  class OverQemuNbdAndTcp extends Conformance {
    @Override
    OtherServer serve(Path file, boolean readOnly) throws Exception {
      return OtherServer.qemuNbd(
          Place.tcp(), file, readOnly ? "--read-only" : "--detect-zeroes=off");
    }

    /** It rounds up to sectors. */
    @Override
    protected int sizeUnit() {
      return 512;
    }
  }

  @Nested
  class OverQemuNbdAndAUnixSocket extends Conformance {
    @Override
    OtherServer serve(Path file, boolean readOnly) throws Exception {
      return OtherServer.qemuNbd(
          Place.unix(folder), file, readOnly ? "--read-only" : "--detect-zeroes=off");
    }

    @Override
    protected int sizeUnit() {
      return 512;
    }
  }

  @Nested
  class OverNbdkitAndTls extends Nbdkit {
    @Override
    Place place() throws IOException {
      return Place.tls(certificates);
    }
  }

  @Nested
  class OverQemuNbdAndTls extends Conformance {
    @Override
    OtherServer serve(Path file, boolean readOnly) throws Exception {
      return OtherServer.qemuNbd(
          Place.tls(certificates), file, readOnly ? "--read-only" : "--detect-zeroes=off");
    }

    @Override
    protected int sizeUnit() {
      return 512;
    }
  }

  @Nested
  class OverNbdServer extends Conformance {
    @Override
    OtherServer serve(Path file, boolean readOnly) throws Exception {
      return OtherServer.nbdServer(Place.tcp(), file, "readonly = " + readOnly);
    }
  }

  @Nested
  class OverNbdServerAndAUnixSocket extends Conformance {
    @Override
    OtherServer serve(Path file, boolean readOnly) throws Exception {
      return OtherServer.nbdServer(Place.unix(folder), file, "readonly = " + readOnly);
    }
  }

  /** A client that ends its server with itself. */
  private static final class Client extends ForwardingBackend {
    private final Backend client;
    private final OtherServer server;

    Client(OtherServer server) throws IOException {
      this(server.open(), server);
    }

    private Client(Backend client, OtherServer server) {
      super(client);
      this.client = client;
      this.server = server;
    }

    Client reopen() throws IOException {
      client.close();
      return new Client(server);
    }

    @Override
    public void close() throws IOException {
      client.close();
      server.close();
    }
  }
}
