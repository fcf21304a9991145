package dev.r3map.grpc;

import dev.r3map.backend.Extent;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Serves {@code dev.r3map.v1.Resource}. */
final class ResourceService {
  /** As many as fit a small message; the client asks on from where they end. */
  private static final int MOST_EXTENTS = 500;

  private final Served served;

  private ResourceService(Served served) {
    this.served = served;
  }

  static ServerServiceDefinition of(Served served) {
    ResourceService service = new ResourceService(served);
    return ServerServiceDefinition.builder(Methods.RESOURCE_SERVICE)
        .addMethod(Methods.INFO, service.small(service::info))
        .addMethod(Methods.READ, service.small(service::read))
        .addMethod(Methods.WRITE, service::startWrite)
        .addMethod(Methods.ZERO, service.small(service::zero))
        .addMethod(Methods.DISCARD, service.small(service::discard))
        .addMethod(Methods.EXTENTS, service.small(service::extents))
        .addMethod(Methods.SYNC, service.small(service::sync))
        .build();
  }

  private ServerCallHandler<InputStream, InputStream> small(ServerExchange.Handler handler) {
    return (call, headers) -> ServerExchange.start(call, served, handler);
  }

  private ServerCall.Listener<InputStream> startWrite(
      ServerCall<InputStream, InputStream> call, Metadata headers) {
    return ServerExchange.startReceiving(call, served, this::write, served.frame());
  }

  private void info(ServerExchange exchange) throws Exception {
    exchange.receiveOne().close();
    ResourceInfo info =
        new ResourceInfo(
            Limits.PROTOCOL_VERSION,
            served.instance(),
            served.size(),
            served.geometry(),
            served.backend().identity().orElse(null));
    exchange.reply();
    exchange.send(ResourceWire.info(info), 0);
  }

  private void read(ServerExchange exchange) throws Exception {
    ResourceWire.Range range;
    try (InputStream request = exchange.receiveOne()) {
      range = ResourceWire.readRequest(request);
    }
    served.checkInstance(range.instance());
    served.check(range.offset(), range.length(), Limits.MAX_TRANSFER);
    int length = (int) range.length();
    int frame = Math.min(length, served.frame());
    // One frame is being read while the transport still holds the one before.
    exchange.reserve(Math.min(length, 2L * frame));
    if (length > frame) {
      exchange.holdBack(frame);
    }
    exchange.reply();
    byte[] buffer = Buffers.take(frame);
    for (int done = 0; done < length; ) {
      if (done > 0) {
        exchange.awaitReady();
      }
      int n = Math.min(frame, length - done);
      served.backend().read(ByteBuffer.wrap(buffer, 0, n), range.offset() + done);
      sendRuns(exchange, buffer, n);
      done += n;
    }
    // Only now: a backend that failed may not have forgotten it.
    Buffers.give(buffer);
  }

  private static void sendRuns(ServerExchange exchange, byte[] bytes, int length) {
    for (int at = 0; at < length; ) {
      int data = Zeros.dataRun(bytes, at, length);
      if (data > 0) {
        exchange.send(ResourceWire.data(ByteBuffer.wrap(bytes, at, data)), data);
        at += data;
      } else {
        int zeros = Zeros.zeroRun(bytes, at, length);
        exchange.send(ResourceWire.zeros(zeros), 0);
        at += zeros;
      }
    }
  }

  private void write(ServerExchange exchange) throws Exception {
    Fences.@Nullable Passage passage = null;
    long expected = 0;
    try {
      for (InputStream message; (message = exchange.receive()) != null; ) {
        ResourceWire.WriteFrame frame;
        try (InputStream closing = message) {
          frame = ResourceWire.writeFrame(closing, served.frame());
        }
        ByteBuffer data = frame.data();
        int length = data.remaining();
        exchange.received(length);
        if (passage == null) {
          served.checkInstance(frame.instance());
          served.checkWritable();
          passage = served.fences().enter(frame.fence());
        } else if (frame.offset() != expected) {
          throw new Refusal(
              Status.Code.INVALID_ARGUMENT,
              "frame at %d where %d was expected".formatted(frame.offset(), expected));
        }
        served.check(frame.offset(), length, served.frame());
        served.backend().write(data, frame.offset());
        expected = frame.offset() + length;
        Buffers.give(data);
        exchange.requestNext();
      }
    } finally {
      if (passage != null) {
        passage.close();
      }
    }
    if (passage == null) {
      throw new Refusal(Status.Code.INVALID_ARGUMENT, "no frames");
    }
    exchange.reply();
    exchange.send(ResourceWire.empty(), 0);
  }

  private void zero(ServerExchange exchange) throws Exception {
    change(exchange, served.backend()::zero);
  }

  private void discard(ServerExchange exchange) throws Exception {
    change(exchange, served.backend()::discard);
  }

  @FunctionalInterface
  private interface Change {
    void make(long offset, long length) throws Exception;
  }

  private void change(ServerExchange exchange, Change change) throws Exception {
    ResourceWire.Range range;
    try (InputStream request = exchange.receiveOne()) {
      range = ResourceWire.rangeRequest(request);
    }
    served.checkInstance(range.instance());
    served.check(range.offset(), range.length(), Long.MAX_VALUE);
    served.checkWritable();
    try (Fences.Passage _ = served.fences().enter(range.fence())) {
      change.make(range.offset(), range.length());
    }
    exchange.reply();
    exchange.send(ResourceWire.empty(), 0);
  }

  private void extents(ServerExchange exchange) throws Exception {
    ResourceWire.Range range;
    try (InputStream request = exchange.receiveOne()) {
      range = ResourceWire.rangeRequest(request);
    }
    served.checkInstance(range.instance());
    served.check(range.offset(), range.length(), Long.MAX_VALUE);
    List<Extent> extents = served.backend().extents(range.offset(), range.length());
    exchange.reply();
    exchange.send(
        ResourceWire.extents(extents.subList(0, Math.min(extents.size(), MOST_EXTENTS))), 0);
  }

  private void sync(ServerExchange exchange) throws Exception {
    long instance;
    try (InputStream request = exchange.receiveOne()) {
      instance = ResourceWire.sync(request);
    }
    served.checkInstance(instance);
    served.backend().sync();
    exchange.reply();
    exchange.send(ResourceWire.sync(served.instance()), 0);
  }
}
