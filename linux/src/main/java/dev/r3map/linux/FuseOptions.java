package dev.r3map.linux;

import java.time.Duration;

/**
 * How a region is mounted.
 *
 * @param requestTimeout a program that reads or writes gets an input/output error after so long;
 *     longer than the region's own io timeout, whose error says more
 * @param flushTimeout the same for a program that calls fsync, which may push a lot
 * @param directIo every read and write comes to the region and nothing is cached by the kernel: for
 *     streaming through once; such a file cannot be mapped shared
 * @param push bytes of a read-only region go into the kernel's cache as they are pulled, while
 *     memory is free
 * @param passthrough a read-only region that is wholly local is read by the kernel itself (root
 *     only, Linux 6.9)
 */
public record FuseOptions(
    Duration requestTimeout,
    Duration flushTimeout,
    boolean directIo,
    boolean push,
    boolean passthrough) {

  /** 35 s for a request, 5 minutes for a flush, and everything that makes it fast. */
  public static final FuseOptions DEFAULT =
      new FuseOptions(Duration.ofSeconds(35), Duration.ofMinutes(5), false, true, true);

  /** Checks the limits. */
  public FuseOptions {
    if (!requestTimeout.isPositive() || !flushTimeout.isPositive()) {
      throw new IllegalArgumentException(
          "timeouts must be positive: request=%s, flush=%s"
              .formatted(requestTimeout, flushTimeout));
    }
  }

  public FuseOptions withRequestTimeout(Duration value) {
    return new FuseOptions(value, flushTimeout, directIo, push, passthrough);
  }

  public FuseOptions withFlushTimeout(Duration value) {
    return new FuseOptions(requestTimeout, value, directIo, push, passthrough);
  }

  public FuseOptions withDirectIo(boolean value) {
    return new FuseOptions(requestTimeout, flushTimeout, value, push, passthrough);
  }

  public FuseOptions withPush(boolean value) {
    return new FuseOptions(requestTimeout, flushTimeout, directIo, value, passthrough);
  }

  public FuseOptions withPassthrough(boolean value) {
    return new FuseOptions(requestTimeout, flushTimeout, directIo, push, value);
  }
}
