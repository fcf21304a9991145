package dev.r3map.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WriteLogTest {
  private final WriteLog log = new WriteLog(1);

  @Test
  void whatAServerAcknowledgedAndDidNotSyncIsLostWithIt() {
    log.wrote(1, 0, 10);
    log.endSync(log.beginSync(), true);
    log.wrote(1, 5, 10);
    log.serverIs(2);
    assertThat(log.lostBytes()).isEqualTo(10);
  }

  @Test
  void aFailedSyncCoversNothing() {
    log.wrote(1, 0, 10);
    log.endSync(log.beginSync(), false);
    log.serverIs(2);
    assertThat(log.lostBytes()).isEqualTo(10);
  }

  @Test
  void aRestartDuringASyncLosesWhatItWasToCover() {
    log.wrote(1, 0, 10);
    RangeSet covered = log.beginSync();
    log.serverIs(2);
    log.endSync(covered, true);
    assertThat(log.lostBytes()).isEqualTo(10);
  }

  @Test
  void anAcknowledgementOfAFormerServerIsNone() {
    log.serverIs(2);
    log.wrote(1, 0, 10);
    assertThat(log.lostBytes()).isEqualTo(10);
  }

  @Test
  void writingAgainMakesUpForTheLoss() {
    log.wrote(1, 0, 10);
    log.serverIs(2);
    log.wrote(2, 2, 3);
    assertThat(log.lostBytes()).isEqualTo(7);
    log.wrote(2, 0, 100);
    assertThat(log.lostBytes()).isZero();
  }

  @Test
  void rangesBehaveLikeASetOfBytes() {
    for (long seed = 0; seed < 50; seed++) {
      Random random = new Random(seed);
      RangeSet ranges = new RangeSet();
      BitSet bits = new BitSet();
      for (int i = 0; i < 500; i++) {
        int start = random.nextInt(200);
        int end = start + random.nextInt(40);
        if (random.nextBoolean()) {
          ranges.add(start, end);
          bits.set(start, end);
        } else {
          ranges.remove(start, end);
          bits.clear(start, end);
        }
        assertThat(ranges.bytes()).as("seed %d, step %d", seed, i).isEqualTo(bits.cardinality());
        RangeSet rest = new RangeSet();
        rest.addAll(ranges);
        bits.stream().forEach(at -> rest.remove(at, at + 1));
        assertThat(rest.isEmpty()).as("seed %d, step %d", seed, i).isTrue();
      }
    }
  }
}
