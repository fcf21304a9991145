package dev.r3map.it.failure;

import dev.r3map.Backends;
import dev.r3map.Device;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.linux.Fuse;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A resource of a server on this host, as a region of this JVM and as a file. Owns the backend, the
 * region and the mount until {@link #close}.
 */
final class Mounted implements AutoCloseable {
  private final Backend backend;
  private final Region region;
  private final Device device;

  private Mounted(Backend backend, Region region, Device device) {
    this.backend = backend;
    this.region = region;
    this.device = device;
  }

  /** Opens a region over a backend. */
  interface Opener {
    Region open(Backend backend) throws IOException;
  }

  /** Managed, with options. */
  interface Options {
    ManagedMount set(ManagedMount mount);
  }

  static Mounted managed(int port, Path path, Options options) throws IOException {
    return open(port, path, Duration.ofSeconds(10), b -> options.set(ManagedMount.on(b)).open());
  }

  /**
   * @param timeout of one call
   */
  static Mounted open(int port, Path path, Duration timeout, Opener opener) throws IOException {
    URI uri = URI.create("grpc://127.0.0.1:" + port);
    Backend backend = Backends.open(uri, BackendOptions.DEFAULT.withTimeout(timeout));
    try {
      Region region = opener.open(backend);
      try {
        return new Mounted(backend, region, Fuse.attach(region, path));
      } catch (IOException | RuntimeException e) {
        region.close();
        throw e;
      }
    } catch (IOException | RuntimeException e) {
      backend.close();
      throw e;
    }
  }

  Region region() {
    return region;
  }

  Device device() {
    return device;
  }

  Path path() {
    return device.path();
  }

  /** Bytes through the region. */
  ByteBuffer read(long offset, int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocateDirect(length);
    region.read(bytes, offset);
    return bytes.flip();
  }

  @Override
  public void close() throws IOException {
    try (backend;
        region;
        device) {
      // In the reverse order, each whatever becomes of the others.
    }
  }
}
