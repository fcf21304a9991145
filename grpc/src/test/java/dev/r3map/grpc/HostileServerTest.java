package dev.r3map.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import com.google.protobuf.ByteString;
import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.grpc.proto.mount.v1.ReadAtArgs;
import dev.r3map.grpc.proto.mount.v1.ReadAtReply;
import dev.r3map.grpc.proto.mount.v1.WriteAtArgs;
import dev.r3map.grpc.proto.mount.v1.WriteAtReply;
import dev.r3map.grpc.proto.resource.v1.Extent;
import dev.r3map.grpc.proto.resource.v1.ExtentsReply;
import dev.r3map.grpc.proto.resource.v1.InfoReply;
import dev.r3map.grpc.proto.resource.v1.InfoRequest;
import dev.r3map.grpc.proto.resource.v1.RangeRequest;
import dev.r3map.grpc.proto.resource.v1.ReadFrame;
import dev.r3map.grpc.proto.resource.v1.ReadRequest;
import dev.r3map.grpc.proto.resource.v1.ResourceGrpc;
import dev.r3map.grpc.proto.resource.v1.SyncReply;
import dev.r3map.grpc.proto.resource.v1.SyncRequest;
import dev.r3map.spi.BackendOptions;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class HostileServerTest {
  private static final BackendOptions HASTY =
      BackendOptions.DEFAULT.withTimeout(Duration.ofSeconds(2));

  private static final InfoReply INFO =
      InfoReply.newBuilder()
          .setVersion(1)
          .setInstance(42)
          .setSize(100)
          .setRequiredChunk(1)
          .setMaxTransfer(Integer.MAX_VALUE)
          .build();

  private static class Resource extends ResourceGrpc.ResourceImplBase {
    InfoReply info = INFO;
    Consumer<StreamObserver<ReadFrame>> read = StreamObserver::onCompleted;
    ExtentsReply extents = ExtentsReply.getDefaultInstance();

    @Override
    public void info(InfoRequest request, StreamObserver<InfoReply> reply) {
      reply.onNext(info);
      reply.onCompleted();
    }

    @Override
    public void read(ReadRequest request, StreamObserver<ReadFrame> reply) {
      read.accept(reply);
    }

    @Override
    public void extents(RangeRequest request, StreamObserver<ExtentsReply> reply) {
      reply.onNext(extents);
      reply.onCompleted();
    }

    @Override
    public void sync(SyncRequest request, StreamObserver<SyncReply> reply) {
      reply.onNext(SyncReply.newBuilder().setInstance(43).build());
      reply.onCompleted();
    }
  }

  private static Server serve(BindableService service) throws IOException {
    return NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
        .addService(service)
        .build()
        .start();
  }

  private static void assertBroken(Call call, String why) {
    assertThatIOException()
        .isThrownBy(call::run)
        .isInstanceOf(PermanentIOException.class)
        .withMessageContaining("breaks the protocol")
        .withMessageContaining(why);
  }

  @Test
  void framesThatAreNotExactlyWhatWasAskedForAreRefused() throws Exception {
    Resource resource = new Resource();
    Server server = serve(resource);
    try (Backend backend = Backends.open(uri(server), HASTY)) {
      byte[] ten = new byte[10];
      ReadFrame five = data(5);
      ReadFrame eleven = data(11);
      resource.read = reply -> send(reply, eleven);
      assertBroken(() -> backend.read(java.nio.ByteBuffer.wrap(ten), 0), "frame of 11 bytes");
      resource.read = reply -> send(reply, five, five, five);
      assertBroken(() -> backend.read(java.nio.ByteBuffer.wrap(ten), 0), "frame of 5 bytes");
      resource.read = reply -> send(reply, five);
      assertBroken(() -> backend.read(java.nio.ByteBuffer.wrap(ten), 0), "5 bytes are missing");
      resource.read = reply -> send(reply, ReadFrame.newBuilder().setZeros(-1).build());
      assertBroken(() -> backend.read(java.nio.ByteBuffer.wrap(ten), 0), "frame of -1 bytes");
      resource.read = reply -> send(reply, ReadFrame.newBuilder().setZeros(1L << 40).build());
      assertBroken(() -> backend.read(java.nio.ByteBuffer.wrap(ten), 0), "frame of");
      resource.read = reply -> send(reply, data(3 << 20));
      assertThatIOException()
          .isThrownBy(() -> backend.read(java.nio.ByteBuffer.wrap(ten), 0))
          .withMessageContaining("exceeds maximum size");
      resource.read = reply -> send(reply, five, ReadFrame.newBuilder().setZeros(5).build());
      assertThat(Bytes.read(backend, 0, 10)).containsExactly(7, 7, 7, 7, 7, 0, 0, 0, 0, 0);
    } finally {
      server.shutdownNow();
    }
  }

  @Test
  void badExtentsAndSyncsAreRefused() throws Exception {
    Resource resource = new Resource();
    Server server = serve(resource);
    try (Backend backend = Backends.open(uri(server), HASTY)) {
      assertBroken(() -> backend.extents(0, 10), "no extents");
      for (long length : new long[] {0, -5, 11, Long.MAX_VALUE}) {
        resource.extents =
            ExtentsReply.newBuilder().addExtents(Extent.newBuilder().setLength(length)).build();
        assertBroken(() -> backend.extents(0, 10), "extent of " + length + " bytes");
      }
      assertBroken(backend::sync, "another instance answered");
    } finally {
      server.shutdownNow();
    }
  }

  @Test
  void anInfoThatMakesNoSenseIsRefused() throws Exception {
    for (InfoReply bad :
        List.of(
            InfoReply.getDefaultInstance(),
            INFO.toBuilder().setSize(-1).build(),
            INFO.toBuilder().setInstance(0).build(),
            INFO.toBuilder().setRequiredChunk(-1).build(),
            INFO.toBuilder().setRequiredChunk(1 << 30).build(),
            INFO.toBuilder().setPreferredChunk(-1).build(),
            INFO.toBuilder().setMaxTransfer(0).build())) {
      Resource resource = new Resource();
      resource.info = bad;
      Server server = serve(resource);
      try {
        assertBroken(() -> Backends.open(uri(server), HASTY), "=");
      } finally {
        server.shutdownNow();
      }
    }
  }

  @Test
  void aReadThatNeverEndsIsGivenUp() throws Exception {
    Resource resource = new Resource();
    resource.read = reply -> reply.onNext(data(5));
    Server server = serve(resource);
    try (Backend backend = Backends.open(uri(server), HASTY.withTimeout(Duration.ofMillis(300)))) {
      assertThatIOException().isThrownBy(() -> Bytes.read(backend, 0, 10));
    } finally {
      server.shutdownNow();
    }
  }

  @Test
  void aDescriptionFromTheServerIsShortAndCannotForgeALine() throws Exception {
    Resource resource = new Resource();
    resource.read =
        reply ->
            reply.onError(
                Status.UNKNOWN
                    .withDescription("bad\n2026-01-01 forged line " + "x".repeat(5000))
                    .asException());
    Server server = serve(resource);
    try (Backend backend = Backends.open(uri(server), HASTY)) {
      assertThatIOException()
          .isThrownBy(() -> Bytes.read(backend, 0, 10))
          .satisfies(e ->
              assertThat(e.getMessage())
                  .hasSizeLessThan(500)
                  .contains("bad 2026-01-01")
                  .doesNotContain("\n"));
    } finally {
      server.shutdownNow();
    }
  }

  @Test
  void shortAndLongRepliesOfAGoServerAreRefused() throws Exception {
    for (ReadAtReply bad :
        List.of(
            ReadAtReply.newBuilder().setN(5).setP(ByteString.copyFrom(new byte[5])).build(),
            ReadAtReply.newBuilder().setN(5).setP(ByteString.copyFrom(new byte[10])).build(),
            ReadAtReply.newBuilder().setN(10).setP(ByteString.copyFrom(new byte[9])).build(),
            ReadAtReply.newBuilder().setN(11).setP(ByteString.copyFrom(new byte[11])).build(),
            ReadAtReply.newBuilder().setN(-1).setP(ByteString.copyFrom(new byte[10])).build(),
            ReadAtReply.getDefaultInstance())) {
      GoServer go =
          new GoServer(100) {
            @Override
            public synchronized void readAt(ReadAtArgs args, StreamObserver<ReadAtReply> reply) {
              reply.onNext(bad);
              reply.onCompleted();
            }

            @Override
            public synchronized void writeAt(WriteAtArgs args, StreamObserver<WriteAtReply> reply) {
              reply.onNext(WriteAtReply.newBuilder().setLength(3).build());
              reply.onCompleted();
            }
          };
      Server server = go.start();
      try (Backend backend = Backends.open(uri(server), HASTY.withSize(100))) {
        assertBroken(() -> Bytes.read(backend, 0, 10), "bytes");
        assertBroken(() -> Bytes.write(backend, 0, new byte[10]), "wrote 3 of 10");
      } finally {
        server.shutdownNow();
      }
    }
  }

  @Test
  void garbageInsteadOfHttpEndsInAnException() throws Exception {
    try (ServerSocket socket = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      Thread garbler =
          Thread.startVirtualThread(() -> {
            try (Socket client = socket.accept()) {
              OutputStream out = client.getOutputStream();
              out.write(Bytes.random(100_000, 9));
              out.flush();
              client.getInputStream().transferTo(OutputStream.nullOutputStream());
            } catch (IOException e) {
              // The client has hung up.
            }
          });
      assertThatIOException()
          .isThrownBy(
              () -> Backends.open(URI.create("grpc://127.0.0.1:" + socket.getLocalPort()), HASTY));
      garbler.join();
    }
  }

  private static URI uri(Server server) {
    return URI.create("grpc://127.0.0.1:" + server.getPort());
  }

  private static ReadFrame data(int length) {
    byte[] sevens = new byte[length];
    java.util.Arrays.fill(sevens, (byte) 7);
    return ReadFrame.newBuilder().setData(ByteString.copyFrom(sevens)).build();
  }

  private static void send(StreamObserver<ReadFrame> reply, ReadFrame... frames) {
    for (ReadFrame frame : frames) {
      reply.onNext(frame);
    }
    reply.onCompleted();
  }

  @FunctionalInterface
  private interface Call {
    void run() throws Exception;
  }
}
