package dev.r3map.cli.demo;

import dev.r3map.Backends;
import dev.r3map.Device;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.linux.Fuse;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A resource that is served and mounted by this very process, in a new temporary folder. Owns all
 * of that until {@link #close}, after which nothing is left.
 */
public final class Stage implements AutoCloseable {
  private final Deque<AutoCloseable> opened = new ArrayDeque<>();
  private final Path file;
  private final GrpcServer server;
  private final Region region;
  private final Duration mountTime;

  /**
   * Sets the stage.
   *
   * @param roundTrip by how much the server's answers are late
   */
  public Stage(Backend resource, Duration roundTrip) throws IOException {
    try {
      Path folder = Files.createTempDirectory("r3map-demo-");
      opened.push(() -> Files.delete(folder));
      file = folder.resolve("remote.bin");
      server = keep(GrpcServer.serve(resource).listen("127.0.0.1", 0).roundTrip(roundTrip).start());
      long begun = System.nanoTime();
      Backend remote = keep(Backends.open(server.uri()));
      region = keep(ManagedMount.on(remote).readOnly(true).open());
      Device _ = keep(Fuse.attach(region, file));
      mountTime = Duration.ofNanos(System.nanoTime() - begun);
    } catch (IOException | RuntimeException e) {
      try {
        close();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private <T extends AutoCloseable> T keep(T resource) {
    opened.push(resource);
    return resource;
  }

  /** The mounted file; not to be mapped by this process. */
  public Path file() {
    return file;
  }

  public URI uri() {
    return server.uri();
  }

  public Region region() {
    return region;
  }

  /** From connecting to the server until the file could be used. */
  public Duration mountTime() {
    return mountTime;
  }

  /** Takes everything away, in reverse order, also if something does not go cleanly. */
  @Override
  public void close() throws IOException {
    IOException failure = null;
    while (!opened.isEmpty()) {
      try {
        opened.pop().close();
      } catch (Exception e) {
        IOException next = e instanceof IOException io ? io : new IOException(e);
        if (failure == null) {
          failure = next;
        } else {
          failure.addSuppressed(next);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
