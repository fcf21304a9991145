package dev.r3map;

import java.io.IOException;
import java.nio.file.Path;

/** A region's path frontend: a file or block device that any program can use. Owns the mount. */
public interface Device extends AutoCloseable {

  /** What to open. */
  Path path();

  /**
   * Unmounts and waits until nothing of the device is left; idempotent. The region stays open.
   * Programs that still hold the path get errors from then on.
   */
  @Override
  void close() throws IOException;
}
