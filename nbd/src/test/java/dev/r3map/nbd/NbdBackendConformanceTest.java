package dev.r3map.nbd;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.testkit.BackendConformance;
import dev.r3map.testkit.ForwardingBackend;
import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.io.TempDir;

/** The client against our own server. */
class NbdBackendConformanceTest {

  abstract static class Conformance extends BackendConformance {
    abstract NbdServer.Builder listen(NbdServer.Builder server);

    /** What the server serves. */
    Backend resource(MemoryBackend memory) {
      return memory;
    }

    @Override
    protected Backend create(long size) throws IOException {
      MemoryBackend memory = MemoryBackend.of(size);
      return Stack.open(memory, listen(NbdServer.serve(resource(memory))).start());
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
          Stack.open(memory, listen(NbdServer.serve(java.util.List.of(export))).start()));
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

    private Stack(Backend client, MemoryBackend memory, NbdServer server) {
      super(client);
      this.client = client;
      this.memory = memory;
      this.server = server;
    }

    static Stack open(MemoryBackend memory, NbdServer server) throws IOException {
      return new Stack(NbdBackend.open(server.uri()), memory, server);
    }

    Stack reopen() throws IOException {
      client.close();
      return open(memory, server);
    }

    @Override
    public void close() throws IOException {
      client.close();
      server.close();
      memory.close();
    }
  }
}
