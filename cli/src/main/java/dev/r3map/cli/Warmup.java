package dev.r3map.cli;

import dev.r3map.linux.Fuse;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.Platform;
import java.io.IOException;

/**
 * Links the system calls that a mount makes while the command line is parsed and the remote is
 * reached, on a processor that has nothing else to do then.
 */
final class Warmup {
  private static final int PAGE = 4096;

  private Warmup() {}

  /** Begins, in a thread of its own that nobody waits for. */
  static void start() {
    Thread.ofPlatform().daemon().name("warm-up").start(Warmup::run);
  }

  private static void run() {
    try (LocalStorage storage = Platform.current().memory(PAGE)) {
      var _ = storage.size();
      var _ = Fuse.unavailable();
    } catch (IOException e) {
      // The mount fails for the same reason, and says so.
      return;
    }
  }
}
