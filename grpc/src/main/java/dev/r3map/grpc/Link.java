package dev.r3map.grpc;

import dev.r3map.spi.BackendOptions;
import io.grpc.Attributes;
import io.grpc.CallOptions;
import io.grpc.ClientTransportFilter;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.io.InputStream;
import java.net.UnixDomainSocketAddress;
import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The connections to one server. Owns two daemon threads and two sockets; its backend closes it,
 * which fails the calls in flight. A lost connection is made again by the next call, and tried for
 * as long as calls keep failing.
 *
 * <p>Large transfers have a connection and a thread of their own, so that small calls never queue
 * behind them: 64 KiB reads beside 16 readers of 4 MiB took 10 ms over one connection and 0.2 ms
 * over two.
 */
final class Link implements AutoCloseable {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  /** gRPC waits 1 s to 120 s between attempts; who waits for a chunk should not. */
  private static final Duration RECONNECT_EVERY = Duration.ofMillis(50);

  /** What is small: little more than a page fault with its readahead. */
  private static final long SMALL = 64 << 10;

  /** Nobody has called for so long: leave the pace to gRPC. */
  private static final long NO_DEMAND = TimeUnit.SECONDS.toNanos(10);

  private static final Duration CLOSE = Duration.ofSeconds(2);

  private final Endpoint endpoint;
  private final BackendOptions options;
  private final EventLoopGroup threads;
  private final ManagedChannel prompt;
  private final ManagedChannel bulk;
  private final AtomicLong connections = new AtomicLong();
  private final AtomicBoolean reconnecting = new AtomicBoolean();
  private volatile long lastFailure;
  private volatile boolean closed;

  Link(Endpoint endpoint, BackendOptions options) throws IOException {
    this.endpoint = endpoint;
    this.options = options;
    this.threads =
        new MultiThreadIoEventLoopGroup(
            2, new DefaultThreadFactory("r3map-grpc", true), NioIoHandler.newFactory());
    try {
      // Nothing is connected before the first call.
      prompt = channel(true);
      bulk = channel(false);
    } catch (IOException | RuntimeException e) {
      var _ = threads.shutdownGracefully(0, 0, TimeUnit.SECONDS);
      throw e;
    }
  }

  private ManagedChannel channel(boolean counted) throws IOException {
    boolean unix = endpoint.address() instanceof UnixDomainSocketAddress;
    NettyChannelBuilder builder =
        NettyChannelBuilder.forAddress(endpoint.address())
            .overrideAuthority(endpoint.authority())
            .eventLoopGroup(threads)
            .channelType(unix ? NioDomainSocketChannel.class : NioSocketChannel.class)
            .withOption(
                ChannelOption.CONNECT_TIMEOUT_MILLIS,
                (int) Math.min(options.timeout().toMillis(), Integer.MAX_VALUE))
            .directExecutor()
            .offloadExecutor(Runnable::run)
            .flowControlWindow(Limits.FLOW_CONTROL_WINDOW)
            .keepAliveTime(Limits.KEEPALIVE.toMillis(), TimeUnit.MILLISECONDS)
            .keepAliveTimeout(Limits.KEEPALIVE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
            // Retries are the backend's, which knows when a message may be sent again.
            .disableRetry()
            .disableServiceConfigLookUp()
            // A message is as long as it says.
            .decompressorRegistry(Limits.UNCOMPRESSED);
    if (counted) {
      builder.addTransportFilter(new Counter());
    }
    if (unix) {
      // gRPC sets it for all, and Netty warns for those that have no such thing.
      builder.withOption(ChannelOption.SO_KEEPALIVE, null);
    }
    if (endpoint.tls()) {
      builder.sslContext(Tls.client(options.tls()));
    } else {
      builder.usePlaintext();
    }
    return builder.build();
  }

  Endpoint endpoint() {
    return endpoint;
  }

  /**
   * How many connections for small calls there have been. The server is the same for as long as one
   * lives.
   */
  long connections() {
    return connections.get();
  }

  /**
   * A call that has begun.
   *
   * @param bytes of payload, which decide the connection
   * @param most the longest message that is accepted
   * @param silence how long the server may be silent
   * @param total how long the call may take, told to the server
   */
  Exchange start(
      MethodDescriptor<InputStream, InputStream> method,
      Exchange.Sink sink,
      int prefetch,
      long bytes,
      int most,
      Duration silence,
      Duration total) {
    Metadata headers = new Metadata();
    options.token().ifPresent(token -> headers.put(AUTHORIZATION, "Bearer " + token));
    Exchange exchange = new Exchange(sink, silence.toNanos());
    CallOptions callOptions =
        CallOptions.DEFAULT
            .withExecutor(exchange)
            .withMaxInboundMessageSize(most)
            .withDeadlineAfter(total.toNanos(), TimeUnit.NANOSECONDS)
            .withOnReadyThreshold(Limits.FRAME / 2);
    ManagedChannel channel = bytes <= SMALL ? prompt : bulk;
    exchange.start(channel.newCall(method, callOptions), headers, prefetch);
    return exchange;
  }

  /** A call found no server: keeps trying to reach it while there is demand. */
  void unavailable() {
    lastFailure = System.nanoTime();
    if (!closed && reconnecting.compareAndSet(false, true)) {
      again(Duration.ZERO);
    }
  }

  private void reconnect() {
    boolean down = isDown(prompt) || isDown(bulk);
    if (closed || !down || System.nanoTime() - lastFailure > NO_DEMAND) {
      reconnecting.set(false);
      return;
    }
    prompt.resetConnectBackoff();
    bulk.resetConnectBackoff();
    again(RECONNECT_EVERY);
  }

  private void again(Duration delay) {
    try {
      var _ = threads.schedule(this::reconnect, delay.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException _) {
      // Closed at this moment.
    }
  }

  private static boolean isDown(ManagedChannel channel) {
    ConnectivityState state = channel.getState(false);
    return state == ConnectivityState.TRANSIENT_FAILURE || state == ConnectivityState.CONNECTING;
  }

  /** Connects for large transfers too, in the background. */
  void prepareBulk() {
    bulk.getState(true);
  }

  boolean closed() {
    return closed;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    prompt.shutdownNow();
    bulk.shutdownNow();
    boolean interrupted = Thread.interrupted();
    try {
      prompt.awaitTermination(CLOSE.toMillis(), TimeUnit.MILLISECONDS);
      bulk.awaitTermination(CLOSE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      interrupted = true;
    }
    threads
        .shutdownGracefully(0, CLOSE.toMillis(), TimeUnit.MILLISECONDS)
        .awaitUninterruptibly(CLOSE.toMillis());
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private final class Counter extends ClientTransportFilter {
    @Override
    public Attributes transportReady(Attributes attributes) {
      connections.incrementAndGet();
      return attributes;
    }
  }
}
