package dev.r3map;

import dev.r3map.backend.Backend;
import dev.r3map.store.DirectRegion;
import java.io.IOException;
import java.time.Duration;

/** A region without a local store: every read and write goes to the backend. */
public final class DirectMount {
  /** After so long of nothing but failures a caller gets an error. */
  public static final Duration DEFAULT_IO_TIMEOUT = Duration.ofSeconds(30);

  private DirectMount() {}

  /** {@link #open(Backend, boolean, Duration)}, writable, with the default timeout. */
  public static Region open(Backend backend) throws IOException {
    return open(backend, false, DEFAULT_IO_TIMEOUT);
  }

  /**
   * Opens a region over {@code backend}, which the caller keeps owning and closes after the region.
   *
   * <p>Nobody here has a copy of what was written: if the remote loses it before a sync, as a
   * server may that is restarted, then the sync fails, and goes on failing until it is written
   * again.
   *
   * @param readOnly refuses writes, also where the backend would take them
   * @param ioTimeout how long a transient failure is tried again, and how long close waits for
   *     calls of the backend that hang; a sync may take twice as long. A read or a write has no
   *     deadline but the backend's own.
   */
  public static Region open(Backend backend, boolean readOnly, Duration ioTimeout)
      throws IOException {
    return DirectRegion.open(backend, readOnly, ioTimeout);
  }
}
