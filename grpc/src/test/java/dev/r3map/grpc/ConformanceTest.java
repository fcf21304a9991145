package dev.r3map.grpc;

import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.testkit.BackendConformance;
import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.io.TempDir;

class ConformanceTest {

  abstract static class Conformance extends BackendConformance {
    abstract Stack.Served serve(MemoryBackend memory, boolean readOnly) throws IOException;

    @Override
    protected Backend create(long size) throws IOException {
      return Stack.open(serve(MemoryBackend.of(size), false));
    }

    @Override
    protected Optional<Backend> reopen(Backend backend) throws IOException {
      return Optional.of(((Stack) backend).reopen());
    }

    @Override
    protected Optional<Backend> createReadOnly(long size, Payload content) throws Exception {
      MemoryBackend memory = MemoryBackend.of(size);
      memory.write(content.bytes(0, Math.toIntExact(size)), 0);
      return Optional.of(Stack.open(serve(memory, true)));
    }
  }

  @Nested
  class OverTcp extends Conformance {
    @Override
    Stack.Served serve(MemoryBackend memory, boolean readOnly) throws IOException {
      return Stack.Served.by(memory, GrpcServer.serve(memory).readOnly(readOnly).start());
    }
  }

  @Nested
  class OverAUnixSocket extends Conformance {
    @TempDir private Path dir;

    @Override
    Stack.Served serve(MemoryBackend memory, boolean readOnly) throws IOException {
      Path socket = dir.resolve(UUID.randomUUID().toString().substring(0, 8));
      return Stack.Served.by(
          memory, GrpcServer.serve(memory).listen(socket).readOnly(readOnly).start());
    }
  }

  @Nested
  class OverTheGoService extends Conformance {
    @Override
    Stack.Served serve(MemoryBackend memory, boolean readOnly) throws IOException {
      return Stack.Served.byMountService(memory, readOnly);
    }
  }
}
