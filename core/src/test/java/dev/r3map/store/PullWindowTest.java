package dev.r3map.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.PriorityQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The window on simulated links: time is counted, not spent. */
class PullWindowTest {
  private static final int CHUNK = 256 << 10;
  private static final long MILLI = 1_000_000;

  /** A link that moves one chunk after the other, each of which also takes a round trip. */
  private static final class Link {
    final PullWindow window;
    final PriorityQueue<Flight> flights = new PriorityQueue<>();
    long bytesPerSecond;
    long roundTrip;
    long now;
    long free;
    long pulled;
    long queueing;

    private record Flight(long arrives, PullWindow.Trip trip) implements Comparable<Flight> {
      @Override
      public int compareTo(Flight other) {
        return Long.compare(arrives, other.arrives);
      }
    }

    Link(int most, long bytesPerSecond, long roundTripMillis) {
      this.window = new PullWindow(most, 0);
      this.bytesPerSecond = bytesPerSecond;
      this.roundTrip = roundTripMillis * MILLI;
    }

    void runUntil(long end) {
      while (now < end) {
        while (flights.size() < window.limit()) {
          long begins = Math.max(free, now + roundTrip / 2);
          queueing = begins - (now + roundTrip / 2);
          free = begins + CHUNK * 1_000_000_000L / bytesPerSecond;
          flights.add(new Flight(free + roundTrip / 2, window.begin(now)));
        }
        Flight next = flights.remove();
        now = next.arrives;
        pulled += CHUNK;
        window.end(next.trip, CHUNK, now);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1000, 0",
    "1000, 2",
    "1000, 10",
    "1000, 40",
    "100, 0",
    "100, 20",
    "10, 40",
    "3000, 1"
  })
  void fillsTheLinkAndQueuesLittle(int megabytesPerSecond, int roundTripMillis) {
    Link link = new Link(256, megabytesPerSecond * 1_000_000L, roundTripMillis);
    link.runUntil(1_000 * MILLI);
    long before = link.pulled;
    link.runUntil(3_000 * MILLI);
    double rate = (link.pulled - before) / 2.0;
    double most =
        Math.min(megabytesPerSecond * 1e6, 256.0 * CHUNK * 1000 / Math.max(1, roundTripMillis));
    assertThat(rate).isGreaterThan(0.9 * most);
    long chunkNanos = CHUNK * 1000L / megabytesPerSecond;
    assertThat(link.queueing).isLessThan(link.roundTrip + 8 * chunkNanos);
  }

  @Test
  void isFullAfterAFewRoundTrips() {
    Link link = new Link(256, 1_000_000_000, 40);
    link.runUntil(300 * MILLI);
    assertThat(link.window.limit()).isGreaterThan(150);
  }

  @Test
  void neverExceedsWhatItMay() {
    Link link = new Link(16, 1_000_000_000, 40);
    link.runUntil(1_000 * MILLI);
    assertThat(link.window.limit()).isEqualTo(16);
    Link one = new Link(1, 1_000_000_000, 40);
    one.runUntil(1_000 * MILLI);
    assertThat(one.window.limit()).isEqualTo(1);
  }

  @Test
  void followsALinkThatGetsSlowerOrFaster() {
    Link link = new Link(256, 1_000_000_000, 10);
    link.runUntil(2_000 * MILLI);
    link.bytesPerSecond = 50_000_000;
    link.runUntil(40_000 * MILLI);
    assertThat(link.queueing).isLessThan(60 * MILLI);
    link.bytesPerSecond = 500_000_000;
    link.roundTrip = 30 * MILLI;
    link.runUntil(80_000 * MILLI);
    long before = link.pulled;
    link.runUntil(90_000 * MILLI);
    assertThat(link.pulled - before).isGreaterThan(3_500_000_000L);
  }
}
