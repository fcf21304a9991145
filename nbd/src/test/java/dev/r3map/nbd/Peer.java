package dev.r3map.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.nbd.server.Connection;
import dev.r3map.nbd.server.Service;
import dev.r3map.nbd.wire.SocketWire;
import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;

/** One connection, whose server's side runs here too, so that it can be looked at afterwards. */
final class Peer implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  final RawClient client;
  private final Service service;
  private final OutputStream out;
  private final Thread server;

  private Peer(Service service, Wire wire, InputStream in, OutputStream out) {
    this.service = service;
    this.out = out;
    client = RawClient.through(in, out);
    server =
        Thread.ofPlatform()
            .daemon()
            .name("server")
            .start(new Connection(wire, service, PATIENCE, "peer"));
  }

  static Peer inMemory(Service service, long seed) {
    return breaking(service, seed, Long.MAX_VALUE);
  }

  /** In memory, and ends when the server has sent so much. */
  static Peer breaking(Service service, long seed, long after) {
    return through(new MemoryWire(seed, after), service);
  }

  static Peer through(MemoryWire wire, Service service) {
    return new Peer(service, wire, wire.clientIn(), wire.clientOut());
  }

  @SuppressWarnings("resource")
  static Peer overSocket(Service service) throws IOException {
    try (ServerSocketChannel listener = ServerSocketChannel.open()) {
      listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      InetSocketAddress address = (InetSocketAddress) listener.getLocalAddress();
      Socket socket = new Socket(address.getAddress(), address.getPort());
      socket.setSoTimeout((int) PATIENCE.toMillis());
      socket.setTcpNoDelay(true);
      SocketWire wire = new SocketWire(listener.accept());
      return new Peer(service, wire, socket.getInputStream(), new SocketOut(socket));
    }
  }

  /** Sends all of it, while the caller may read what comes back. */
  void send(byte[] bytes) {
    Thread.ofVirtual()
        .start(() -> {
          try {
            out.write(bytes);
          } catch (IOException e) {
            // The server has ended the connection, as the caller will find out.
            return;
          }
        });
  }

  /** Sends it, and nothing after it. */
  void sendLast(byte[] bytes) {
    Thread.ofVirtual()
        .start(() -> {
          try (out) {
            out.write(bytes);
          } catch (IOException e) {
            return;
          }
        });
  }

  /** Waits until the server is done, and finds nothing that it left behind. */
  void awaitEnd() throws InterruptedException {
    if (!server.join(PATIENCE)) {
      throw new AssertionError("the server hangs: " + Arrays.toString(server.getStackTrace()));
    }
    assertThat(service.memoryInUse()).isZero();
    long begin = System.nanoTime();
    while (!service.workers().isEmpty()) {
      assertThat(System.nanoTime() - begin).isLessThan(PATIENCE.toNanos());
      LockSupport.parkNanos(10_000);
    }
  }

  @Override
  public void close() throws IOException {
    out.close();
    client.close();
  }

  /** Closing it leaves the other direction open. */
  private static final class SocketOut extends OutputStream {
    private final Socket socket;
    private final OutputStream out;

    SocketOut(Socket socket) throws IOException {
      this.socket = socket;
      this.out = socket.getOutputStream();
    }

    @Override
    public void write(int b) throws IOException {
      out.write(b);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      out.write(bytes, offset, length);
    }

    @Override
    public void close() throws IOException {
      if (!socket.isOutputShutdown()) {
        socket.shutdownOutput();
      }
    }
  }
}
