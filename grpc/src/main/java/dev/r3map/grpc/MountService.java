package dev.r3map.grpc;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import java.io.InputStream;
import java.nio.ByteBuffer;

/** Serves the Go r3map's mount service to its clients. */
final class MountService {
  private final Served served;

  private MountService(Served served) {
    this.served = served;
  }

  static ServerServiceDefinition of(Served served) {
    MountService service = new MountService(served);
    return ServerServiceDefinition.builder(Methods.MOUNT_SERVICE)
        .addMethod(Methods.READ_AT, service.small(service::readAt))
        .addMethod(Methods.WRITE_AT, service::startWriteAt)
        .addMethod(Methods.MOUNT_SIZE, service.small(service::size))
        .addMethod(Methods.MOUNT_SYNC, service.small(service::sync))
        .build();
  }

  private ServerCallHandler<InputStream, InputStream> small(ServerExchange.Handler handler) {
    return (call, headers) -> ServerExchange.start(call, served, handler);
  }

  private ServerCall.Listener<InputStream> startWriteAt(
      ServerCall<InputStream, InputStream> call, Metadata headers) {
    return ServerExchange.startReceiving(call, served, this::writeAt, Limits.FRAME);
  }

  private void readAt(ServerExchange exchange) throws Exception {
    MountWire.ReadAtArgs args;
    try (InputStream request = exchange.receiveOne()) {
      args = MountWire.readAtArgs(request);
    }
    served.check(args.offset(), args.length(), Limits.MAX_TRANSFER);
    exchange.reserve(args.length());
    byte[] buffer = Buffers.take(args.length());
    int piece = served.piece();
    for (int done = 0; done < args.length(); ) {
      int n = Math.min(piece, args.length() - done);
      served.backend().read(ByteBuffer.wrap(buffer, done, n), args.offset() + done);
      done += n;
    }
    exchange.reply();
    exchange.send(MountWire.readAtReply(ByteBuffer.wrap(buffer, 0, args.length())), args.length());
    // Only now: a backend that failed may not have forgotten it.
    Buffers.give(buffer);
  }

  private void writeAt(ServerExchange exchange) throws Exception {
    MountWire.WriteAtArgs args;
    try (InputStream request = exchange.receiveOne()) {
      args = MountWire.writeAtArgs(request);
    }
    ByteBuffer data = args.data();
    int length = data.remaining();
    exchange.received(length);
    served.check(args.offset(), length, Limits.MAX_TRANSFER);
    served.checkWritable();
    int piece = served.piece();
    for (int done = 0; done < length; ) {
      int n = Math.min(piece, length - done);
      served.backend().write(data.slice(done, n), args.offset() + done);
      done += n;
    }
    Buffers.give(data);
    exchange.reply();
    exchange.send(MountWire.number(length), 0);
  }

  private void size(ServerExchange exchange) throws Exception {
    exchange.receiveOne().close();
    exchange.reply();
    exchange.send(MountWire.number(served.size()), 0);
  }

  private void sync(ServerExchange exchange) throws Exception {
    exchange.receiveOne().close();
    served.backend().sync();
    exchange.reply();
    exchange.send(MountWire.empty(), 0);
  }
}
