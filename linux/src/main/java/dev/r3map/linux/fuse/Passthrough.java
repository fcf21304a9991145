package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.FuseCalls;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.util.Optional;

/**
 * The local file that the kernel may read itself: for a region that is read only and wholly local.
 * Owns the kernel's reference to it until {@link #close}. One serves all opens: the kernel refuses
 * a second one.
 */
final class Passthrough implements AutoCloseable {
  /** A program that maps a hole takes memory for it, which a cached page would give back. */
  private static final int HOLES_OF_AVAILABLE_MEMORY = 4;

  private final FuseConnection connection;
  private final FailureLog log;
  private final Optional<LocalView> candidate;
  private final long size;
  private boolean failed;
  private volatile int backingId;

  /**
   * Nothing yet.
   *
   * @param candidate what to pass through to; empty if that must not be
   */
  Passthrough(FuseConnection connection, FailureLog log, Optional<LocalView> candidate, long size) {
    this.connection = connection;
    this.log = log;
    this.candidate = candidate.filter(view -> view.descriptor() >= 0 && size > 0);
    this.size = size;
  }

  /** Whether a file may be opened so, now and from now on. Not for two threads at once. */
  boolean isPossible() {
    if (backingId > 0) {
      return true;
    }
    if (failed || candidate.isEmpty() || !candidate.get().isLocal(0, size)) {
      return false;
    }
    try {
      if (!holesAreAffordable(candidate.get())) {
        log.note("no passthrough: the local store is mostly holes");
        failed = true;
        return false;
      }
      backingId = FuseCalls.backingOpen(connection.descriptor(), candidate.get().descriptor());
      return true;
    } catch (IOException | RuntimeException e) {
      log.note("no passthrough: " + e.getMessage());
      failed = true;
      return false;
    }
  }

  /** What the kernel calls the file; valid once {@link #isPossible}. */
  int backingId() {
    return backingId;
  }

  boolean isActive() {
    return backingId > 0;
  }

  @Override
  public void close() throws IOException {
    int id = backingId;
    backingId = 0;
    if (id > 0) {
      FuseCalls.backingClose(connection.descriptor(), id);
    }
  }

  private boolean holesAreAffordable(LocalView view) {
    long[] holes = new long[1];
    view.runs(
        0,
        size,
        (offset, length, zeros) -> {
          if (zeros) {
            holes[0] += length;
          }
        });
    return holes[0] <= Processes.memory().available() / HOLES_OF_AVAILABLE_MEMORY;
  }
}
