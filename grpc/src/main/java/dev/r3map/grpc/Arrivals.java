package dev.r3map.grpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import org.jspecify.annotations.Nullable;

/**
 * Tells a call how long the message is that is on its way to it. The transport holds a message
 * until it is whole, and nobody knows its length before.
 */
final class Arrivals extends ServerStreamTracer {
  private static final Context.Key<Arrivals> KEY = Context.key("r3map-arrivals");

  private volatile @Nullable ServerExchange exchange;

  /** Bytes of the current message; for the event loop. */
  private long arrived;

  private Arrivals() {}

  /** One for each call. */
  static ServerStreamTracer.Factory factory() {
    return new ServerStreamTracer.Factory() {
      @Override
      public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
        return new Arrivals();
      }
    };
  }

  /** Reports to a call from now on; within gRPC's callback that starts it. */
  static void reportTo(ServerExchange exchange) {
    Arrivals current = KEY.get();
    if (current != null) {
      current.exchange = exchange;
    }
  }

  @Override
  public Context filterContext(Context context) {
    return context.withValue(KEY, this);
  }

  @Override
  public void inboundMessage(int number) {
    arrived = 0;
  }

  @Override
  public void inboundWireSize(long bytes) {
    arrived += bytes;
    ServerExchange call = exchange;
    if (call != null) {
      call.arrived(arrived);
    }
  }
}
