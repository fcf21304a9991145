package dev.r3map.it.data;

import dev.r3map.Backends;
import dev.r3map.Device;
import dev.r3map.DirectMount;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.it.data.Setting.Kind;
import dev.r3map.linux.Fuse;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A resource that is mounted by this JVM as a file that programs can use. Owns the client, the
 * region and the mount until {@link #close}.
 */
final class Mounted implements AutoCloseable {
  /** Often enough to meet every other operation of a test. */
  private static final Duration PUSH_INTERVAL = Duration.ofMillis(20);

  private static final Set<Path> PATHS = ConcurrentHashMap.newKeySet();

  private final URI uri;
  private final Setting setting;
  private final boolean readOnly;
  private final Path path;

  private Backend remote;
  private Region region;
  private Device device;

  private Mounted(URI uri, Setting setting, boolean readOnly, Path path) {
    this.uri = uri;
    this.setting = setting;
    this.readOnly = readOnly;
    this.path = path;
  }

  /** As {@code path}; a cache file lies beside it. */
  static Mounted at(Path path, URI uri, Setting setting, boolean readOnly) throws IOException {
    Mounted mounted = new Mounted(uri, setting, readOnly, path);
    mounted.open();
    return mounted;
  }

  static Mounted writable(Path path, URI uri, Setting setting) throws IOException {
    return at(path, uri, setting, false);
  }

  static Mounted readOnly(Path path, URI uri, Setting setting) throws IOException {
    return at(path, uri, setting, true);
  }

  /** Everywhere that this JVM mounted something, by now or before. */
  static Set<Path> paths() {
    return PATHS;
  }

  Path path() {
    return path;
  }

  Region region() {
    return region;
  }

  /** Closes everything and mounts anew; no program may have the file open. */
  void remount() throws IOException {
    close();
    open();
  }

  private void open() throws IOException {
    try {
      remote = Backends.open(uri);
      region = openRegion();
      PATHS.add(path);
      device = Fuse.attach(region, path);
    } catch (IOException | RuntimeException e) {
      try {
        close();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private Region openRegion() throws IOException {
    if (setting.kind() == Kind.DIRECT) {
      return DirectMount.open(remote, readOnly, DirectMount.DEFAULT_IO_TIMEOUT);
    }
    ManagedMount mount =
        ManagedMount.on(remote)
            .chunkSize(setting.chunkSize())
            .readOnly(readOnly)
            .pushInterval(PUSH_INTERVAL);
    if (setting.kind() == Kind.ON_DEMAND) {
      mount.pullWorkers(0);
    }
    if (setting.kind() == Kind.CACHED) {
      mount.cache(path.resolveSibling(path.getFileName() + ".cache"));
    }
    return mount.open();
  }

  @Override
  public void close() throws IOException {
    // From the last to the first.
    try (Backend _ = remote;
        Region _ = region;
        Device _ = device) {
      remote = null;
      region = null;
      device = null;
    }
  }
}
