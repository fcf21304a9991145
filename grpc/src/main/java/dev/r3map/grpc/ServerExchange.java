package dev.r3map.grpc;

import io.grpc.Detachable;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One call that the server answers. gRPC's callbacks run on the event loop and only hand over; a
 * virtual thread of the call's own decodes, works and answers, so that blocking blocks nobody else.
 * When the client gives up, that thread is interrupted.
 */
final class ServerExchange extends ServerCall.Listener<InputStream> implements Runnable {
  /** Does the work of a method; what it throws becomes the call's status. */
  @FunctionalInterface
  interface Handler {
    void serve(ServerExchange exchange) throws Exception;
  }

  private final ServerCall<InputStream, InputStream> call;
  private final Served served;
  private final Handler handler;
  private final AtomicBoolean begun = new AtomicBoolean();
  private final AtomicReference<@Nullable InputStream> message = new AtomicReference<>();

  /** The worker and the transport: memory is given back when both are done with the call. */
  private final AtomicInteger holders = new AtomicInteger(2);

  private volatile @Nullable Thread worker;
  private volatile boolean halfClosed;
  private volatile boolean cancelled;
  private volatile boolean done;
  private long reserved;
  private long received;
  private long sent;

  /** What a message may take that its call has memory for. */
  private final long expected;

  /** What was taken for a message that is longer; for the event loop, and for who ends the call. */
  private long unexpected;

  private ServerExchange(
      ServerCall<InputStream, InputStream> call, Served served, Handler handler, long bytes) {
    this.call = call;
    this.served = served;
    this.handler = handler;
    this.expected = bytes + Limits.HEADER;
  }

  /** A call whose requests are small. */
  static ServerExchange start(
      ServerCall<InputStream, InputStream> call, Served served, Handler handler) {
    ServerExchange exchange = new ServerExchange(call, served, handler, 0);
    Arrivals.reportTo(exchange);
    call.request(1);
    return exchange;
  }

  /**
   * A call whose messages carry payload: they are asked for when there is memory for them. For one
   * that is longer than expected more is taken while it arrives.
   *
   * @param bytes of payload in a message
   */
  static ServerExchange startReceiving(
      ServerCall<InputStream, InputStream> call, Served served, Handler handler, long bytes) {
    Handler receiving =
        exchange -> {
          if (exchange.reserved == 0) {
            exchange.reserve(bytes);
            call.request(1);
          }
          handler.serve(exchange);
        };
    ServerExchange exchange = new ServerExchange(call, served, receiving, bytes);
    Arrivals.reportTo(exchange);
    if (served.tryReserve(bytes)) {
      exchange.reserved = bytes;
      call.request(1);
    } else {
      exchange.begin();
    }
    return exchange;
  }

  Served served() {
    return served;
  }

  /** The next message, which the caller closes, or null if the client has sent them all. */
  @Nullable InputStream receive() throws InterruptedException {
    while (true) {
      boolean last = halfClosed;
      InputStream next = message.getAndSet(null);
      if (next != null || last) {
        return next;
      }
      checkCancelled();
      LockSupport.park(this);
    }
  }

  /** The only message there is. */
  InputStream receiveOne() throws InterruptedException, Refusal {
    InputStream one = receive();
    if (one == null) {
      throw new Refusal(Status.Code.INVALID_ARGUMENT, "no request");
    }
    return one;
  }

  void requestNext() {
    call.request(1);
  }

  /** Takes memory for this call; it is given back when the client has what it was for. */
  void reserve(long bytes) throws Refusal, InterruptedException {
    served.reserve(bytes);
    reserved += bytes;
  }

  /**
   * A message has grown to so many bytes, which the transport holds.
   *
   * @throws StatusRuntimeException if there is no memory for more, which ends the call
   */
  void arrived(long bytes) {
    while (bytes > expected + unexpected) {
      if (!served.tryReserve(Limits.FRAME)) {
        throw Status.UNAVAILABLE.withDescription("the server is overloaded").asRuntimeException();
      }
      unexpected += Limits.FRAME;
    }
  }

  void received(long bytes) {
    received += bytes;
  }

  void reply() {
    call.sendHeaders(new Metadata());
  }

  /** Hands a message to the transport, which has copied it when this returns. */
  void send(Outbound reply, long payload) {
    call.sendMessage(reply);
    sent += payload;
  }

  /** Waits until the client keeps up. */
  void awaitReady() throws InterruptedException {
    while (!call.isReady()) {
      checkCancelled();
      LockSupport.park(this);
    }
  }

  /** Lets the transport hold so many bytes before the client counts as lagging behind. */
  void holdBack(int bytes) {
    call.setOnReadyThreshold(bytes);
  }

  @Override
  public void run() {
    boolean ok = false;
    try {
      checkCancelled();
      served.travel();
      handler.serve(this);
      ok = true;
      call.close(Status.OK, new Metadata());
    } catch (Throwable e) {
      Refusal refusal = ServerFailures.of(e);
      call.close(refusal.status(), refusal.trailers());
    } finally {
      done = true;
      dropMessage();
      served.observe(call.getMethodDescriptor(), received, sent, ok);
      letGo();
      served.workers().remove(Thread.currentThread());
    }
  }

  @Override
  public void onMessage(InputStream arrived) {
    // The stream is closed when this returns; what is detached is ours.
    InputStream own = arrived instanceof Detachable detachable ? detachable.detach() : arrived;
    message.set(own);
    wake();
    if (cancelled || done) {
      dropMessage();
    }
  }

  @Override
  public void onHalfClose() {
    halfClosed = true;
    wake();
  }

  @Override
  public void onReady() {
    LockSupport.unpark(worker);
  }

  @Override
  public void onCancel() {
    cancelled = true;
    if (begun.compareAndSet(false, true)) {
      letGo();
    }
    Thread thread = worker;
    if (thread != null) {
      thread.interrupt();
    }
    dropMessage();
    letGo();
  }

  @Override
  public void onComplete() {
    letGo();
  }

  private void wake() {
    begin();
    LockSupport.unpark(worker);
  }

  private void begin() {
    if (begun.compareAndSet(false, true)) {
      Thread thread = Thread.ofVirtual().name("r3map-grpc-call").unstarted(this);
      worker = thread;
      served.workers().add(thread);
      thread.start();
    }
  }

  private void checkCancelled() throws InterruptedException {
    if (cancelled || Thread.currentThread().isInterrupted()) {
      throw new InterruptedException("the client gave up");
    }
  }

  private void letGo() {
    if (holders.decrementAndGet() == 0) {
      served.release(reserved);
      served.release(unexpected);
    }
  }

  private void dropMessage() {
    InputStream dropped = message.getAndSet(null);
    if (dropped != null) {
      try {
        dropped.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
