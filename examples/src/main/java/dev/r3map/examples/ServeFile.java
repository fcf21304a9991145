package dev.r3map.examples;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.grpc.GrpcServer;
import java.io.IOException;

/** Serves a file to other hosts: {@code ServeFile disk.img 1337}. */
public final class ServeFile {
  private ServeFile() {}

  public static void main(String[] args) throws IOException, InterruptedException {
    try (Backend file = Backends.open(Backends.parse(args[0]));
        GrpcServer server =
            GrpcServer.serve(file).listen("127.0.0.1", Integer.parseInt(args[1])).start()) {
      System.out.println("serving " + file + " at " + server.uri());
      Thread.currentThread().join();
    }
  }
}
