package dev.r3map.cli;

import dev.r3map.linux.Fuse;

/**
 * Gets a mount's system calls ready while the command line is parsed and the remote is reached, on
 * a processor that has nothing else to do then.
 */
final class Warmup {
  private Warmup() {}

  /** Begins, in a thread of its own that nobody waits for. */
  static void start() {
    Thread.ofPlatform().daemon().name("warm-up").start(Fuse::prepare);
  }
}
