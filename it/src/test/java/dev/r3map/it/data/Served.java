package dev.r3map.it.data;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.it.data.Setting.Store;
import dev.r3map.it.data.Setting.Wire;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A resource of zeros, served over gRPC by this JVM. Owns the server and the resource until {@link
 * #close}; what a file holds stays.
 */
final class Served implements AutoCloseable {
  private final Backend backend;
  private final GrpcServer server;
  private final Optional<Path> file;

  private Served(Backend backend, GrpcServer server, Optional<Path> file) {
    this.backend = backend;
    this.server = server;
    this.file = file;
  }

  /** Keeps its files in {@code folder}. */
  static Served start(Setting setting, Path folder) throws IOException {
    Optional<Path> file =
        setting.store() == Store.FILE ? Optional.of(folder.resolve("served")) : Optional.empty();
    Backend backend =
        file.isPresent()
            ? FileBackend.open(file.get(), BackendOptions.DEFAULT.withCreate(setting.size()))
            : MemoryBackend.of(setting.size());
    try {
      GrpcServer.Builder builder = GrpcServer.serve(backend);
      if (setting.wire() == Wire.UNIX) {
        builder.listen(folder.resolve("socket"));
      }
      return new Served(backend, builder.start(), file);
    } catch (IOException | RuntimeException e) {
      backend.close();
      throw e;
    }
  }

  URI uri() {
    return server.uri();
  }

  /** The file that is served, if it is one. */
  Optional<Path> file() {
    return file;
  }

  /** Puts bytes there, without anybody else between. */
  void write(ByteBuffer src, long offset) throws IOException {
    backend.write(src, offset);
  }

  /** Fills {@code dst} with what is there, past our own code where that is possible. */
  void read(ByteBuffer dst, long offset) throws IOException {
    if (file.isEmpty()) {
      backend.read(dst, offset);
      return;
    }
    try (FileChannel channel = FileChannel.open(file.get())) {
      long start = offset - dst.position();
      while (dst.hasRemaining()) {
        if (channel.read(dst, start + dst.position()) < 0) {
          throw new IOException("the served file ends at " + (start + dst.position()));
        }
      }
    }
  }

  @Override
  public void close() throws IOException {
    try (backend) {
      server.close();
    }
  }
}
