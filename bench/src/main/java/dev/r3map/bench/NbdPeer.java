package dev.r3map.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** nbdkit's memory plugin, as Debian has it. Owns its process until {@link #close}. */
final class NbdPeer implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofSeconds(20);

  private static final String HOST = "127.0.0.1";

  private final Process process;
  private final String uri;

  private NbdPeer(Process process, String uri) {
    this.process = process;
    this.uri = uri;
  }

  static NbdPeer unix(Bench bench, long size) throws IOException {
    Path socket = bench.newFile("nbdkit-socket");
    return start(bench, size, "nbd+unix:///?socket=" + socket, "--unix", socket.toString());
  }

  static NbdPeer tcp(Bench bench, long size) throws IOException {
    int port = freePort();
    return start(
        bench, size, "nbd://%s:%d".formatted(HOST, port), "--ipaddr", HOST, "--port", "" + port);
  }

  /** With certificates under the names that C programs expect. */
  static NbdPeer tls(Bench bench, long size, Path certificates) throws IOException {
    int port = freePort();
    return start(
        bench,
        size,
        "nbds://localhost:%d/?tls-certificates=%s".formatted(port, certificates),
        "--ipaddr",
        HOST,
        "--port",
        "" + port,
        "--tls=require",
        "--tls-certificates=" + certificates);
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  String uri() {
    return uri;
  }

  /** It writes the file when clients can connect. */
  private static NbdPeer start(Bench bench, long size, String uri, String... options)
      throws IOException {
    Path ready = bench.newFile("nbdkit-pid");
    List<String> command =
        new ArrayList<>(List.of("nbdkit", "--foreground", "--pidfile", ready.toString()));
    command.addAll(List.of(options));
    command.addAll(List.of("memory", Long.toString(size)));
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (!Files.exists(ready)) {
      if (!process.isAlive() || System.nanoTime() - deadline > 0) {
        process.destroyForcibly();
        throw new IOException("does not serve: " + String.join(" ", command));
      }
      Thread.onSpinWait();
    }
    return new NbdPeer(process, uri);
  }

  @Override
  public void close() throws IOException {
    process.destroy();
    if (!Programs.ended(process, LIMIT)) {
      process.destroyForcibly();
      throw new IOException("nbdkit does not end");
    }
  }
}
