package dev.r3map.it.failure;

import dev.r3map.backend.FileBackend;
import dev.r3map.grpc.GrpcServer;
import java.nio.file.Path;

/** A process that serves a file: {@code FILE PORT}; says {@code ready PORT}. */
final class ServeMain {
  private ServeMain() {}

  public static void main(String[] args) throws Exception {
    try (FileBackend file = FileBackend.open(Path.of(args[0]));
        GrpcServer server =
            GrpcServer.serve(file).listen("127.0.0.1", Integer.parseInt(args[1])).start()) {
      Commands.say("ready " + server.port());
      Commands.serve(words -> "");
    }
  }
}
