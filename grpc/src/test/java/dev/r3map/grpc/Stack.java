package dev.r3map.grpc;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.ForwardingBackend;
import io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** A client with a server and memory of its own, which it closes with itself. */
final class Stack extends ForwardingBackend {
  private final Backend client;
  private final Served resource;

  /** Memory and whoever serves it. */
  record Served(MemoryBackend memory, URI uri, BackendOptions options, AutoCloseable server) {
    static Served by(MemoryBackend memory, GrpcServer server) {
      return new Served(memory, server.uri(), BackendOptions.DEFAULT, server);
    }

    /** By the Go r3map's service alone. */
    static Served byMountService(MemoryBackend memory, boolean readOnly) throws IOException {
      var served = new dev.r3map.grpc.Served(memory, readOnly, 256L << 20, Duration.ZERO, null);
      io.grpc.Server server =
          NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
              .directExecutor()
              .addService(MountService.of(served))
              .build()
              .start();
      return new Served(
          memory,
          URI.create("grpc://localhost:" + server.getPort()),
          BackendOptions.DEFAULT.withReadOnly(readOnly),
          () -> server.shutdownNow().awaitTermination(5, TimeUnit.SECONDS));
    }
  }

  private Stack(Backend client, Served resource) {
    super(client);
    this.client = client;
    this.resource = resource;
  }

  static Stack open(Served resource) throws IOException {
    return new Stack(Backends.open(resource.uri, resource.options), resource);
  }

  /** Another client of the same server. */
  Stack reopen() throws IOException {
    client.close();
    return open(resource);
  }

  @Override
  public void close() throws IOException {
    client.close();
    try {
      resource.server.close();
    } catch (IOException e) {
      throw e;
    } catch (Exception e) {
      throw new IOException(e);
    }
    resource.memory.close();
  }
}
