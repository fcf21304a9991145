package dev.r3map.cli.mount;

import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.backend.Sizes;
import dev.r3map.cli.args.PullPushOptions;
import java.io.IOException;

/** Opens regions with a local copy as the command line says. */
public final class ManagedRegions {
  private ManagedRegions() {}

  /**
   * Opens a region.
   *
   * @param mount of {@code backend}; gets the options that were given
   * @throws IllegalArgumentException if options do not fit each other or the resource
   */
  public static Region open(ManagedMount mount, Backend backend, PullPushOptions options)
      throws IOException {
    if (options.pullFirst != null && options.pullWorkers != null && options.pullWorkers == 0) {
      throw new IllegalArgumentException("--pull-first needs pull workers");
    }
    if (options.cache != null) {
      mount.cache(options.cache);
    }
    if (options.pullWorkers != null) {
      mount.pullWorkers(options.pullWorkers);
    }
    if (options.pushWorkers != null) {
      mount.pushWorkers(options.pushWorkers);
    }
    if (options.pushInterval != null) {
      mount.pushInterval(options.pushInterval);
    }
    if (options.durability != null) {
      mount.durability(options.durability);
    }
    if (options.chunkSize != null || options.pullOrder != null) {
      int chunkSize = chunkSize(backend, options);
      mount.chunkSize(chunkSize);
      if (options.pullOrder != null) {
        mount.pullPriority(PullOrder.read(options.pullOrder, chunkSize));
      }
    }
    return mount.open();
  }

  private static int chunkSize(Backend backend, PullPushOptions options) throws IOException {
    if (options.chunkSize == null) {
      return PullOrder.chunkSize(backend.geometry());
    }
    if (options.chunkSize > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "the chunk size is 32 MiB at most, not " + Sizes.format(options.chunkSize));
    }
    return Math.toIntExact(options.chunkSize);
  }
}
