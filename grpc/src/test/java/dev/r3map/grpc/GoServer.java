package dev.r3map.grpc;

import com.google.protobuf.ByteString;
import dev.r3map.grpc.proto.mount.v1.BackendGrpc;
import dev.r3map.grpc.proto.mount.v1.ReadAtArgs;
import dev.r3map.grpc.proto.mount.v1.ReadAtReply;
import dev.r3map.grpc.proto.mount.v1.SizeArgs;
import dev.r3map.grpc.proto.mount.v1.SizeReply;
import dev.r3map.grpc.proto.mount.v1.SyncArgs;
import dev.r3map.grpc.proto.mount.v1.SyncReply;
import dev.r3map.grpc.proto.mount.v1.WriteAtArgs;
import dev.r3map.grpc.proto.mount.v1.WriteAtReply;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

/** Behaves as the Go r3map's server does: its service alone, and messages of at most 4 MiB. */
class GoServer extends BackendGrpc.BackendImplBase {
  final AtomicInteger syncs = new AtomicInteger();
  final AtomicInteger largest = new AtomicInteger();
  volatile boolean tellsSize;
  private final byte[] memory;

  GoServer(int size) {
    memory = new byte[size];
  }

  Server start() throws IOException {
    return start(0);
  }

  Server start(int port) throws IOException {
    return NettyServerBuilder.forAddress(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
        .addService(this)
        .build()
        .start();
  }

  synchronized byte[] at(int offset, int length) {
    return Arrays.copyOfRange(memory, offset, offset + length);
  }

  @Override
  public synchronized void readAt(ReadAtArgs args, StreamObserver<ReadAtReply> reply) {
    largest.accumulateAndGet(args.getLength(), Math::max);
    reply.onNext(
        ReadAtReply.newBuilder()
            .setN(args.getLength())
            .setP(ByteString.copyFrom(memory, (int) args.getOff(), args.getLength()))
            .build());
    reply.onCompleted();
  }

  @Override
  public synchronized void writeAt(WriteAtArgs args, StreamObserver<WriteAtReply> reply) {
    largest.accumulateAndGet(args.getP().size(), Math::max);
    args.getP().copyTo(memory, (int) args.getOff());
    reply.onNext(WriteAtReply.newBuilder().setLength(args.getP().size()).build());
    reply.onCompleted();
  }

  @Override
  public void size(SizeArgs args, StreamObserver<SizeReply> reply) {
    if (!tellsSize) {
      reply.onError(Status.UNIMPLEMENTED.asException());
      return;
    }
    reply.onNext(SizeReply.newBuilder().setSize(memory.length).build());
    reply.onCompleted();
  }

  @Override
  public void sync(SyncArgs args, StreamObserver<SyncReply> reply) {
    syncs.incrementAndGet();
    reply.onNext(SyncReply.getDefaultInstance());
    reply.onCompleted();
  }
}
