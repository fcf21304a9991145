package dev.r3map.store;

/**
 * How many chunks the background pull may have in flight: enough to fill the link, and not many
 * more, because a reader's own fetch queues behind them. Thread-safe.
 *
 * <p>The hypothesis is BBR's (Cardwell et al., ACM Queue 2016): a link is full when as many bytes
 * are in flight as it moves during its shortest delay; more of them only wait. So two things are
 * measured with every chunk, the rate at which bytes came while it was under way and how long it
 * took, and the limit follows from the best of each. At first it grows threefold with each round
 * for as long as the rate grows, too. Now and then it falls back to a few for a moment, to see
 * whether the delay has changed, which a queue of our own would hide.
 */
final class PullWindow {
  /** Hides the gaps between one chunk and the next, and is no queue worth naming. */
  private static final int FIRST = 8;

  private static final double STARTUP_GAIN = 2;

  /** Leaves room for chunks that take longer than the shortest. */
  private static final double STEADY_GAIN = 1.1;

  /** The rate has grown if it is this much better than before. */
  private static final double GROWTH = 1.2;

  /** One bad round may be chance. */
  private static final int FLAT_ROUNDS = 2;

  /** A rate is believed for one to two times this long. */
  private static final long RATE_NANOS = 2_000_000_000L;

  /** A delay is believed for this long. */
  private static final long DELAY_NANOS = 10_000_000_000L;

  /** Chunks that must come while few are in flight before the delay is known. */
  private static final int DELAY_SAMPLES = 2 * FIRST;

  private final int most;

  private long pulled;
  private double rate;
  private double formerRate;
  private long rateSince;
  private long delay = Long.MAX_VALUE;
  private long delaySince;
  private int delaySamples;
  private boolean startingUp = true;
  private double roundRate;
  private long roundEnd;
  private int flatRounds;
  private volatile int limit;

  /**
   * @param most the limit is never more
   */
  PullWindow(int most, long now) {
    this.most = most;
    this.limit = Math.min(FIRST, most);
    this.rateSince = now;
    this.delaySince = now;
  }

  /** A chunk under way: when it began, and how much had been pulled then. */
  record Trip(long begun, long pulledBefore) {}

  int limit() {
    return limit;
  }

  /** A chunk is being asked for. */
  synchronized Trip begin(long now) {
    return new Trip(now, pulled);
  }

  /** It is here. */
  synchronized void end(Trip trip, int bytes, long now) {
    pulled += bytes;
    long took = Math.max(1, now - trip.begun());
    measureDelay(took, now);
    measureRate((double) (pulled - trip.pulledBefore()) / took, now);
    if (startingUp && trip.pulledBefore() >= roundEnd) {
      endRound();
    }
    if (delaySamples < DELAY_SAMPLES && !startingUp) {
      limit = Math.min(FIRST, most);
      return;
    }
    double chunks = Math.max(rate, formerRate) * delay / bytes;
    double gain = startingUp ? STARTUP_GAIN : STEADY_GAIN;
    limit = (int) Math.clamp(Math.ceil(gain * chunks) + 1, Math.min(FIRST, most), most);
  }

  private void measureDelay(long took, long now) {
    if (now - delaySince > DELAY_NANOS) {
      delay = Long.MAX_VALUE;
      delaySince = now;
      delaySamples = 0;
    }
    delay = Math.min(delay, took);
    delaySamples++;
  }

  private void measureRate(double sample, long now) {
    if (now - rateSince > RATE_NANOS) {
      formerRate = rate;
      rate = 0;
      rateSince = now;
    }
    rate = Math.max(rate, sample);
  }

  /** What was asked for under the former limit has come. */
  private void endRound() {
    roundEnd = pulled;
    if (rate > roundRate * GROWTH) {
      roundRate = rate;
      flatRounds = 0;
    } else if (++flatRounds == FLAT_ROUNDS) {
      startingUp = false;
    }
  }
}
