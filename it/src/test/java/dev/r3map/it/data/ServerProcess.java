package dev.r3map.it.data;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.it.support.ChildJvm;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** A file served over gRPC by a process of its own, which can be killed. Owns that process. */
final class ServerProcess implements AutoCloseable {
  private static final int END_SECONDS = 10;

  private final Path file;
  private final Path socket;
  private Process process;

  private ServerProcess(Path file, Path socket) {
    this.file = file;
    this.socket = socket;
  }

  static ServerProcess start(Path file, Path socket) throws IOException {
    ServerProcess server = new ServerProcess(file, socket);
    server.start();
    return server;
  }

  /** Begins to serve again, where it did before. */
  void start() throws IOException {
    process = ChildJvm.start(ServerProcess.class, file.toString(), socket.toString());
    BufferedReader answers = process.inputReader(StandardCharsets.UTF_8);
    String line = answers.readLine();
    if (!"ready".equals(line)) {
      close();
      throw new IOException("the server does not start: " + line);
    }
  }

  /** SIGKILL. */
  void kill() throws InterruptedException {
    process.destroyForcibly();
    if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("the server cannot be killed");
    }
  }

  URI uri() {
    return URI.create("grpc+unix://" + socket);
  }

  @Override
  public void close() throws IOException {
    process.getOutputStream().close();
    try {
      if (!process.waitFor(END_SECONDS, TimeUnit.SECONDS)) {
        throw new IOException("the server does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      process.destroyForcibly();
    }
  }

  /** Serves until its standard input ends. */
  public static void main(String[] arguments) throws IOException {
    try (Backend backend = FileBackend.open(Path.of(arguments[0]));
        GrpcServer _ = GrpcServer.serve(backend).listen(Path.of(arguments[1])).start()) {
      System.out.println("ready");
      while (System.in.read() >= 0) {
        // Until whoever started this is done, or gone.
      }
    }
  }
}
