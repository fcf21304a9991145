package dev.r3map.nbd;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.BackendConformance;
import dev.r3map.testkit.ForwardingBackend;
import dev.r3map.testkit.Payload;
import dev.r3map.testkit.Pki;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.io.TempDir;

/** The client against our own server. */
class NbdBackendConformanceTest {

  abstract static class Conformance extends BackendConformance {
    abstract NbdServer.Builder listen(NbdServer.Builder server);

    BackendOptions options() {
      return BackendOptions.DEFAULT;
    }

    /** What the server serves. */
    Backend resource(MemoryBackend memory) {
      return memory;
    }

    @Override
    protected Backend create(long size) throws IOException {
      MemoryBackend memory = MemoryBackend.of(size);
      return Stack.open(memory, listen(NbdServer.serve(resource(memory))).start(), options());
    }

    @Override
    protected Optional<Backend> reopen(Backend backend) throws IOException {
      return Optional.of(((Stack) backend).reopen());
    }

    @Override
    protected Optional<Backend> createReadOnly(long size, Payload content) throws Exception {
      MemoryBackend memory = MemoryBackend.of(size);
      memory.write(content.bytes(0, Math.toIntExact(size)), 0);
      NbdExport export = NbdExport.of("", resource(memory)).withReadOnly(true);
      return Optional.of(
          Stack.open(memory, listen(NbdServer.serve(List.of(export))).start(), options()));
    }
  }

  @Nested
  class OverTcp extends Conformance {
    @Override
    NbdServer.Builder listen(NbdServer.Builder server) {
      return server;
    }
  }

  @Nested
  class OverAUnixSocket extends Conformance {
    @TempDir private Path folder;

    @Override
    NbdServer.Builder listen(NbdServer.Builder server) {
      return server.listen(folder.resolve(UUID.randomUUID().toString().substring(0, 8)));
    }
  }

  @Nested
  class Encrypted extends Conformance {
    private static BackendOptions.Tls trust;
    private static Pki.Issued files;

    @BeforeAll
    static void issue(@TempDir Path pki) throws Exception {
      Pki authority = new Pki(pki, "conformance-ca");
      files = authority.issue("server", "san=dns:localhost,ip:127.0.0.1");
      trust =
          new BackendOptions.Tls(
              Optional.of(authority.authority()), Optional.empty(), Optional.empty());
    }

    @Override
    NbdServer.Builder listen(NbdServer.Builder server) {
      return server.tls(files.certificate(), files.key());
    }

    @Override
    BackendOptions options() {
      return BackendOptions.DEFAULT.withTls(trust);
    }
  }

  /** Whatever the kit does is made of whole blocks by the client, and refused if not. */
  @Nested
  class OfWholeBlocks extends Conformance {
    @Override
    NbdServer.Builder listen(NbdServer.Builder server) {
      return server;
    }

    @Override
    Backend resource(MemoryBackend memory) {
      return new ForwardingBackend(memory) {
        @Override
        public Geometry geometry() {
          return new Geometry(4096, 0, 64 << 10, false);
        }
      };
    }
  }

  /** A client with a server and memory of its own, which it closes with itself. */
  static final class Stack extends ForwardingBackend {
    private final Backend client;
    private final MemoryBackend memory;
    private final NbdServer server;
    private final BackendOptions options;

    private Stack(Backend client, MemoryBackend memory, NbdServer server, BackendOptions options) {
      super(client);
      this.client = client;
      this.memory = memory;
      this.server = server;
      this.options = options;
    }

    static Stack open(MemoryBackend memory, NbdServer server, BackendOptions options)
        throws IOException {
      Backend client = NbdBackend.at(server.uri()).options(options).open();
      return new Stack(client, memory, server, options);
    }

    Stack reopen() throws IOException {
      client.close();
      return open(memory, server, options);
    }

    @Override
    public void close() throws IOException {
      client.close();
      server.close();
      memory.close();
    }
  }
}
