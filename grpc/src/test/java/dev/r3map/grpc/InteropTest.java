package dev.r3map.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.grpc.proto.mount.v1.BackendGrpc;
import dev.r3map.grpc.proto.mount.v1.ReadAtArgs;
import dev.r3map.grpc.proto.mount.v1.ReadAtReply;
import dev.r3map.grpc.proto.mount.v1.SizeArgs;
import dev.r3map.grpc.proto.mount.v1.SyncArgs;
import dev.r3map.grpc.proto.mount.v1.WriteAtArgs;
import dev.r3map.spi.BackendOptions;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import java.net.URI;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Ours against what protobuf and gRPC generate from the same definition, in both directions. */
@Timeout(60)
class InteropTest {
  private static final int MIB = 1 << 20;

  @Test
  void aGeneratedClientReadsWritesAndSyncsWhatWeServe() throws Exception {
    try (Scripted scripted = new Scripted(10L * MIB);
        GrpcServer server = GrpcServer.serve(scripted).start();
        Stub stub = new Stub(server)) {
      byte[] bytes = Bytes.random(3 * MIB, 1);

      int written =
          stub.blocking
              .writeAt(
                  WriteAtArgs.newBuilder().setOff(777).setP(ByteString.copyFrom(bytes)).build())
              .getLength();
      ReadAtReply reply =
          stub.blocking.readAt(ReadAtArgs.newBuilder().setOff(777).setLength(bytes.length).build());
      stub.blocking.sync(SyncArgs.getDefaultInstance());

      assertThat(written).isEqualTo(bytes.length);
      assertThat(reply.getN()).isEqualTo(bytes.length);
      assertThat(reply.getP().toByteArray()).isEqualTo(bytes);
      assertThat(Bytes.read(scripted.memory, 777, bytes.length)).isEqualTo(bytes);
      assertThat(scripted.syncs).hasValue(1);
      assertThat(stub.blocking.size(SizeArgs.getDefaultInstance()).getSize()).isEqualTo(10L * MIB);
    }
  }

  @Test
  void largeMessagesPassAndZerosAreSentAsTheyAre() throws Exception {
    try (MemoryBackend memory = MemoryBackend.of(32L * MIB);
        GrpcServer server = GrpcServer.serve(memory).start();
        Stub stub = new Stub(server)) {
      byte[] bytes = Bytes.random(32 * MIB, 1);
      stub.blocking.writeAt(WriteAtArgs.newBuilder().setP(ByteString.copyFrom(bytes)).build());
      assertThat(Bytes.read(memory, 0, bytes.length)).isEqualTo(bytes);
      memory.zero(0, 32L * MIB);

      ReadAtReply reply = stub.blocking.readAt(ReadAtArgs.newBuilder().setLength(32 * MIB).build());

      assertThat(reply.getN()).isEqualTo(32 * MIB);
      assertThat(reply.getP()).isEqualTo(ByteString.copyFrom(new byte[32 * MIB]));
    }
  }

  @Test
  void badRequestsOfAGeneratedClientAreRefusedAndTheConnectionLives() throws Exception {
    try (MemoryBackend memory = MemoryBackend.of(100L * MIB);
        GrpcServer server = GrpcServer.serve(memory).start();
        Stub stub = new Stub(server)) {
      stub.refuses(Status.Code.INVALID_ARGUMENT, 0, -1);
      stub.refuses(Status.Code.INVALID_ARGUMENT, 0, Integer.MIN_VALUE);
      stub.refuses(Status.Code.INVALID_ARGUMENT, 0, Integer.MAX_VALUE);
      stub.refuses(Status.Code.INVALID_ARGUMENT, 0, 32 * MIB + 1);
      stub.refuses(Status.Code.INVALID_ARGUMENT, -1, 10);
      stub.refuses(Status.Code.OUT_OF_RANGE, 100L * MIB - 9, 10);
      stub.refuses(Status.Code.OUT_OF_RANGE, Long.MAX_VALUE, 1);
      assertThatThrownBy(() ->
              stub.blocking.writeAt(
                  WriteAtArgs.newBuilder()
                      .setOff(100L * MIB)
                      .setP(ByteString.copyFrom(new byte[1]))
                      .build()))
          .isInstanceOf(StatusRuntimeException.class);
      assertThat(stub.blocking.readAt(ReadAtArgs.getDefaultInstance()).getN()).isZero();
      assertThat(stub.blocking.writeAt(WriteAtArgs.getDefaultInstance()).getLength()).isZero();
    }
  }

  @Test
  void weReadAndWriteWhatAGeneratedServerServes() throws Exception {
    GoServer go = new GoServer(20 * MIB);
    Server server = go.start();
    try (Backend backend =
        Backends.open(
            URI.create("grpc://localhost:" + server.getPort()),
            BackendOptions.DEFAULT.withSize(20L * MIB))) {
      byte[] bytes = Bytes.random(9 * MIB + 5, 2);

      Bytes.write(backend, 12_345, bytes);
      backend.sync();

      assertThat(Bytes.read(backend, 12_345, bytes.length)).isEqualTo(bytes);
      assertThat(go.at(12_345, bytes.length)).isEqualTo(bytes);
      assertThat(go.syncs).hasValue(1);
      assertThat(go.largest).hasValueLessThan(4 * MIB - 1024);
      assertThat(backend.geometry()).isEqualTo(new Geometry(1, 0, 2 * MIB, false));
      assertThat(backend.identity()).isEmpty();
      assertThat(backend.extents(0, 100)).containsExactly(Extent.data(0, 100));
      backend.discard(0, 100);
      backend.zero(12_345, bytes.length);
      assertThat(Bytes.read(backend, 12_345, bytes.length)).containsOnly(0);
    } finally {
      server.shutdownNow();
    }
  }

  @Test
  void aServerThatDoesNotTellItsSizeNeedsTheOption() throws Exception {
    Server server = new GoServer(100).start();
    try {
      URI uri = URI.create("grpc://localhost:" + server.getPort());
      assertThatIOException()
          .isThrownBy(() -> Backends.open(uri))
          .isInstanceOf(PermanentIOException.class)
          .withMessageContaining("--size");
    } finally {
      server.shutdownNow();
    }
  }

  @Test
  void aGoServerThatHasSizeIsAskedForIt() throws Exception {
    GoServer go = new GoServer(12_345);
    go.tellsSize = true;
    Server server = go.start();
    try (Backend backend = Backends.open(URI.create("grpc://localhost:" + server.getPort()))) {
      assertThat(backend.size()).isEqualTo(12_345);
    } finally {
      server.shutdownNow();
    }
  }

  /** A plain client, as another language would have it. */
  private static final class Stub implements AutoCloseable {
    private final ManagedChannel channel;
    private final BackendGrpc.BackendBlockingStub blocking;

    Stub(GrpcServer server) {
      channel =
          NettyChannelBuilder.forAddress("localhost", server.port())
              .usePlaintext()
              .maxInboundMessageSize(64 * MIB)
              .build();
      blocking = BackendGrpc.newBlockingStub(channel);
    }

    void refuses(Status.Code code, long offset, int length) {
      assertThatThrownBy(() ->
              blocking.readAt(ReadAtArgs.newBuilder().setOff(offset).setLength(length).build()))
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              e -> assertThat(e.getStatus().getCode()).isEqualTo(code));
    }

    @Override
    public void close() {
      channel.shutdownNow();
    }
  }
}
