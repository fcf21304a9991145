package dev.r3map.nbd.client;

import static dev.r3map.nbd.protocol.Transmission.FLAG_HAS_FLAGS;

import org.jspecify.annotations.Nullable;

/**
 * What a handshake ended with.
 *
 * @param size of the export in bytes
 * @param flags the transmission flags
 * @param limits of requests
 * @param context the number of {@code base:allocation}; null if the server cannot tell holes
 * @param description what the server says of the export, or nothing
 */
public record Terms(
    Mode mode, long size, int flags, Limits limits, @Nullable Integer context, String description) {

  /** Whether the server set a transmission flag. */
  public boolean has(int flag) {
    return (flags & FLAG_HAS_FLAGS) != 0 && (flags & flag) != 0;
  }

  /**
   * Block sizes, in bytes.
   *
   * @param minimum requests must be multiples of it; a power of two
   * @param preferred works best
   * @param maximum a read or a write may carry so much; a multiple of the minimum
   */
  public record Limits(int minimum, int preferred, int maximum) {
    /** What the specification lets a client assume that was told nothing. */
    static final int MAX_PAYLOAD = 32 << 20;

    private static final int MOST_MINIMUM = 64 << 10;

    static final Limits UNKNOWN = new Limits(1, 4096, MAX_PAYLOAD);

    /** The three of a server, unsigned, held against the specification. */
    static Limits of(long minimum, long preferred, long maximum) throws MalformedException {
      boolean good =
          Long.bitCount(minimum) == 1
              && minimum <= MOST_MINIMUM
              && Long.bitCount(preferred) == 1
              && preferred >= minimum
              && maximum >= minimum;
      if (!good) {
        throw new MalformedException(
            "block sizes of %d, %d and %d bytes".formatted(minimum, preferred, maximum));
      }
      long most = Math.min(maximum, MAX_PAYLOAD);
      int aligned = (int) (most - most % minimum);
      return new Limits(
          (int) minimum, (int) Math.min(preferred, Long.highestOneBit(aligned)), aligned);
    }
  }
}
