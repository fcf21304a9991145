package dev.r3map.grpc;

import dev.r3map.backend.Backend;
import dev.r3map.internal.SocketFile;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Serves a backend to gRPC clients, ours and the Go r3map's. Owns its threads and its socket;
 * whoever started it closes it: calls in flight may then end, for a moment, and are cut off after
 * that. The backend stays open.
 *
 * <pre>{@code
 * try (GrpcServer server = GrpcServer.serve(backend).listen("127.0.0.1", 1337).start()) {
 *   ...
 * }
 * }</pre>
 */
public final class GrpcServer implements AutoCloseable {
  /** Streams of one connection at once; a client queues the others on its side. */
  private static final int CALLS_PER_CONNECTION = 4096;

  /** The JDK's own default for TLS on a LAN is none at all. */
  private static final Duration HANDSHAKE = Duration.ofSeconds(10);

  /** After being cut off, calls end at once unless the backend ignores interrupts. */
  private static final Duration CUT_OFF = Duration.ofSeconds(2);

  private final Served served;
  private final Server server;
  private final EventLoopGroup threads;
  private final Duration grace;
  private final @Nullable SocketFile socketFile;
  private final URI uri;
  private boolean closed;

  private GrpcServer(
      Served served,
      Server server,
      EventLoopGroup threads,
      Duration grace,
      boolean tls,
      @Nullable SocketFile socketFile) {
    this.served = served;
    this.server = server;
    this.threads = threads;
    this.grace = grace;
    this.socketFile = socketFile;
    this.uri =
        socketFile == null
            ? tcpUri(server, tls)
            : URI.create("grpc+unix://" + socketFile.path().toUri().getRawPath());
  }

  private static URI tcpUri(Server server, boolean tls) {
    InetSocketAddress address = (InetSocketAddress) server.getListenSockets().getFirst();
    InetAddress host = address.getAddress();
    // The wildcard is nobody's address.
    String shown = host.isAnyLocalAddress() ? "localhost" : host.getHostAddress();
    return URI.create(
        "%s://%s:%d"
            .formatted(
                tls ? "grpcs" : "grpc",
                shown.contains(":") ? "[" + shown + "]" : shown,
                address.getPort()));
  }

  /** A server to be, on a free port of the loopback interface unless told otherwise. */
  public static Builder serve(Backend backend) {
    return new Builder(backend);
  }

  /** Sees each call when it has been answered; called on that call's thread. */
  @FunctionalInterface
  public interface Observer {
    /**
     * @param operation the method's name, such as {@code Read}
     * @param received bytes of payload that came in
     * @param sent bytes of payload that went out; zeros do not travel
     * @param ok false if the client was told of a failure
     */
    void served(String operation, long received, long sent, boolean ok);
  }

  /** The port that the server listens on, 0 on a Unix socket. */
  public int port() {
    return Math.max(uri.getPort(), 0);
  }

  /** Where the server listens, as a client on this host writes it. */
  public URI uri() {
    return uri;
  }

  /** Ends the server; idempotent. */
  @Override
  public void close() throws IOException {
    close(grace);
  }

  /** The same, with another time for calls in flight. */
  synchronized void close(Duration patience) throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    server.shutdown();
    boolean interrupted = Thread.interrupted();
    try {
      if (patience.isZero() || !await(patience)) {
        server.shutdownNow();
        await(CUT_OFF);
      }
      endWorkers();
    } catch (InterruptedException e) {
      interrupted = true;
      server.shutdownNow();
    } finally {
      threads
          .shutdownGracefully(0, CUT_OFF.toMillis(), TimeUnit.MILLISECONDS)
          .awaitUninterruptibly(CUT_OFF.toMillis());
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
      if (socketFile != null) {
        socketFile.delete();
      }
    }
  }

  /** Waits for all of them together: there may be thousands in a backend that hangs. */
  private void endWorkers() throws InterruptedException {
    List<Thread> workers = List.copyOf(served.workers());
    workers.forEach(Thread::interrupt);
    long deadline = System.nanoTime() + CUT_OFF.toNanos();
    for (Thread worker : workers) {
      worker.join(Duration.ofNanos(deadline - System.nanoTime()));
    }
  }

  private boolean await(Duration patience) throws InterruptedException {
    return server.awaitTermination(patience.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Says how to serve. */
  public static final class Builder {
    private final Backend backend;
    private SocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    private @Nullable SocketFile socketFile;
    private @Nullable Path certificate;
    private @Nullable Path key;
    private @Nullable Path clientCa;
    private final List<String> tokens = new ArrayList<>();
    private boolean insecure;
    private boolean readOnly;
    private Duration roundTrip = Duration.ZERO;
    private Duration grace = Duration.ofSeconds(2);
    private long memory = 256L << 20;
    private @Nullable Observer observer;

    private Builder(Backend backend) {
      this.backend = backend;
    }

    /** On a TCP port; 0 for any that is free. */
    public Builder listen(String host, int port) {
      this.address = new InetSocketAddress(host, port);
      this.socketFile = null;
      return this;
    }

    /** On a Unix socket that only this user can reach; a dead server's is replaced. */
    public Builder listen(Path socket) {
      this.socketFile = new SocketFile(socket);
      this.address = socketFile.address();
      return this;
    }

    /** TLS 1.3 with these PEM files: the certificate chain, and its key as PKCS #8. */
    public Builder tls(Path certificateChain, Path privateKey) {
      this.certificate = certificateChain;
      this.key = privateKey;
      return this;
    }

    /** Only clients with a certificate that these authorities signed (a PEM file). */
    public Builder clientCa(Path authorities) {
      this.clientCa = authorities;
      return this;
    }

    /** Only clients that have this bearer token, or another one given here. */
    public Builder token(String token) {
      Tokens.checkSendable(token);
      tokens.add(token);
      return this;
    }

    /** Plaintext is meant also where others can listen. */
    public Builder insecure(boolean value) {
      this.insecure = value;
      return this;
    }

    /** Clients cannot write. */
    public Builder readOnly(boolean value) {
      this.readOnly = value;
      return this;
    }

    /** For trials: every reply is late by this much, however many are under way. */
    public Builder roundTrip(Duration delay) {
      this.roundTrip = delay;
      return this;
    }

    /** How long {@link GrpcServer#close} lets calls in flight go on; 2 s by default. */
    public Builder grace(Duration patience) {
      this.grace = patience;
      return this;
    }

    /** Bytes of payload that all calls together may hold, 256 MiB by default; the others wait. */
    public Builder memory(long bytes) {
      this.memory = bytes;
      return this;
    }

    /** Who is told of each call. */
    public Builder observer(Observer value) {
      this.observer = value;
      return this;
    }

    /**
     * Listens and serves.
     *
     * @throws IllegalArgumentException if plaintext were offered beyond this host without {@link
     *     #insecure}, or if files are missing
     * @throws IOException if the address or a file cannot be used
     */
    public GrpcServer start() throws IOException {
      if (certificate == null && clientCa != null) {
        throw new IllegalArgumentException("client certificates need TLS: give a certificate");
      }
      checkPlaintext();
      Served served = new Served(backend, readOnly, memory, roundTrip, observer);
      EventLoopGroup threads =
          new MultiThreadIoEventLoopGroup(
              threadCount(),
              new DefaultThreadFactory("r3map-grpc-server", true),
              NioIoHandler.newFactory());
      SocketFile file = socketFile;
      try {
        if (file != null) {
          file.checkFree();
        }
        Server server = build(served, threads).start();
        if (file != null) {
          file.publish();
        }
        return new GrpcServer(served, server, threads, grace, certificate != null, file);
      } catch (IOException | RuntimeException e) {
        var _ = threads.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        if (file != null) {
          file.delete();
        }
        throw e;
      }
    }

    private void checkPlaintext() throws IOException {
      if (!(address instanceof InetSocketAddress inet)) {
        return;
      }
      if (inet.isUnresolved()) {
        throw new IOException("cannot listen on %s: unknown host".formatted(inet.getHostString()));
      }
      if (certificate == null && !insecure && !inet.getAddress().isLoopbackAddress()) {
        throw new IllegalArgumentException(
            "cannot listen on %s in plaintext: give a certificate and its key, or --insecure"
                .formatted(inet));
      }
    }

    /** One thread carries about 1 GB/s; more than four carry what no network here does. */
    private static int threadCount() {
      return Math.clamp(Runtime.getRuntime().availableProcessors(), 1, 4);
    }

    private Server build(Served served, EventLoopGroup threads) throws IOException {
      int longest =
          Math.max(Limits.MAX_TRANSFER, served.geometry().requiredChunk()) + Limits.HEADER;
      NettyServerBuilder builder =
          NettyServerBuilder.forAddress(address)
              .bossEventLoopGroup(threads)
              .workerEventLoopGroup(threads)
              .channelType(
                  socketFile == null
                      ? NioServerSocketChannel.class
                      : NioServerDomainSocketChannel.class)
              // Nothing blocks there: each call has a thread of its own.
              .directExecutor()
              .flowControlWindow(Limits.FLOW_CONTROL_WINDOW)
              .maxInboundMessageSize(longest)
              .maxConcurrentCallsPerConnection(CALLS_PER_CONNECTION)
              .handshakeTimeout(HANDSHAKE.toMillis(), TimeUnit.MILLISECONDS)
              .decompressorRegistry(Limits.UNCOMPRESSED)
              .permitKeepAliveTime(Limits.KEEPALIVE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
              .permitKeepAliveWithoutCalls(true)
              .keepAliveTime(Limits.KEEPALIVE.toMillis() * 3, TimeUnit.MILLISECONDS)
              .keepAliveTimeout(Limits.KEEPALIVE_TIMEOUT.toMillis() * 2, TimeUnit.MILLISECONDS)
              .addStreamTracerFactory(new Deadlines())
              .addStreamTracerFactory(Arrivals.factory())
              .addService(MountService.of(served))
              .addService(ResourceService.of(served));
      if (socketFile != null) {
        // gRPC sets it for all, and Netty warns for those that have no such thing.
        builder.withChildOption(ChannelOption.SO_KEEPALIVE, null);
      }
      if (!tokens.isEmpty()) {
        builder.intercept(new Tokens(tokens));
      }
      if (certificate != null && key != null) {
        builder.sslContext(Tls.server(certificate, key, Optional.ofNullable(clientCa)));
      }
      return builder.build();
    }
  }
}
