package dev.r3map.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class SocketFileTest {
  @TempDir private Path dir;
  private MemoryBackend memory;
  private Path socket;

  @BeforeEach
  void open() throws IOException {
    memory = MemoryBackend.of(1000);
    socket = dir.resolve("with space.sock");
  }

  @AfterEach
  void close() throws IOException {
    memory.close();
  }

  private GrpcServer serve() throws IOException {
    return GrpcServer.serve(memory).listen(socket).start();
  }

  @Test
  void onlyThisUserCanConnectAndNothingIsLeftBehind() throws Exception {
    try (GrpcServer server = serve();
        Backend backend = Backends.open(server.uri())) {
      assertThat(backend.size()).isEqualTo(1000);
      assertThat(server.port()).isZero();
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
          .isEqualTo("rw-------");
    }
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void aDeadServersSocketIsReplaced() throws Exception {
    try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      dead.bind(UnixDomainSocketAddress.of(socket));
    }
    assertThat(socket).exists();
    try (GrpcServer server = serve();
        Backend backend = Backends.open(server.uri())) {
      assertThat(backend.size()).isEqualTo(1000);
    }
  }

  @Test
  void aLiveServersSocketIsNot() throws Exception {
    try (GrpcServer server = serve()) {
      assertThatIOException().isThrownBy(this::serve).withMessageContaining("is listening there");
      try (Backend backend = Backends.open(server.uri())) {
        assertThat(backend.size()).isEqualTo(1000);
      }
    }
  }

  @Test
  void whatIsNoSocketIsLeftAlone() throws Exception {
    Files.writeString(socket, "precious");
    assertThatIOException().isThrownBy(this::serve).withMessageContaining("is no socket");
    assertThat(socket).hasContent("precious");
  }

  @Test
  void aServerThatWasReplacedDoesNotRemoveItsSuccessorsSocket() throws Exception {
    GrpcServer first = serve();
    Files.delete(socket);
    try (GrpcServer second = serve()) {
      first.close();
      try (Backend backend = Backends.open(second.uri())) {
        assertThat(backend.size()).isEqualTo(1000);
      }
    }
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void aServerThatCannotStartLeavesNothing() throws Exception {
    socket = dir.resolve("missing").resolve("x.sock");
    assertThatIOException().isThrownBy(this::serve);
    assertThat(dir).isEmptyDirectory();
  }
}
