package dev.r3map.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BlockSetTest {

  @Test
  void agreesWithAPlainBitSetOverRandomRanges() {
    Random random = new Random(1);
    for (int length : new int[] {1, 63, 64, 65, 200, 1000}) {
      BlockSet set = new BlockSet(length);
      BitSet model = new BitSet(length);
      for (int i = 0; i < 2000; i++) {
        int from = random.nextInt(length);
        int to = from + random.nextInt(length - from + 1);
        BitSet before = model.get(from, to);
        switch (random.nextInt(4)) {
          case 0 -> {
            assertThat(set.set(from, to)).isEqualTo(to - from - before.cardinality());
            model.set(from, to);
          }
          case 1 -> {
            assertThat(set.clear(from, to)).isEqualTo(before.cardinality());
            model.clear(from, to);
          }
          case 2 -> {
            BlockSet.Bits taken = set.drain(from, to);
            assertThat(taken.isEmpty()).isEqualTo(before.isEmpty());
            for (int b = from; b < to; b++) {
              assertThat(taken.get(b)).isEqualTo(model.get(b));
            }
            assertThat(set.noneSet(from, to)).isTrue();
            set.setAll(taken);
          }
          default -> {
            int next = model.nextSetBit(from);
            assertThat(set.nextSet(from, to)).isEqualTo(next < 0 || next >= to ? to : next);
            assertThat(set.nextClear(from, to)).isEqualTo(Math.min(model.nextClearBit(from), to));
            assertThat(set.allSet(from, to)).isEqualTo(before.cardinality() == to - from);
          }
        }
        assertThat(set.cardinality()).isEqualTo(model.cardinality());
      }
      assertThat(set.copy().cardinality()).isEqualTo(model.cardinality());
    }
  }

  @Test
  void runsOfTakenBitsAreFoundInOrder() {
    BlockSet set = new BlockSet(300);
    set.set(10, 20);
    set.set(130, 131);
    BlockSet.Bits bits = set.drain(5, 290);
    assertThat(bits.next(0, true)).isEqualTo(10);
    assertThat(bits.next(10, false)).isEqualTo(20);
    assertThat(bits.next(20, true)).isEqualTo(130);
    assertThat(bits.next(131, true)).isEqualTo(290);
  }

  @Test
  void clearOfLeavesOutWhatIsSet() {
    BlockSet set = new BlockSet(100);
    set.set(0, 100);
    BlockSet.Bits all = set.drain(0, 100);
    set.set(50, 60);
    BlockSet.Bits clean = set.clearOf(all);
    assertThat(clean.get(49)).isTrue();
    assertThat(clean.get(50)).isFalse();
    assertThat(clean.get(60)).isTrue();
  }

  @Test
  void cardinalityIsExactUnderConcurrentChange() throws Exception {
    BlockSet set = new BlockSet(64);
    Thread[] threads = new Thread[4];
    for (int t = 0; t < threads.length; t++) {
      int seed = t;
      threads[t] =
          Thread.ofVirtual()
              .start(() -> {
                Random random = new Random(seed);
                for (int i = 0; i < 20_000; i++) {
                  int from = random.nextInt(64);
                  if (random.nextBoolean()) {
                    set.set(from, 64);
                  } else {
                    set.clear(from, 64);
                  }
                }
              });
    }
    for (Thread thread : threads) {
      thread.join();
    }
    long counted = 0;
    for (int i = 0; i < 64; i++) {
      counted += set.get(i) ? 1 : 0;
    }
    assertThat(set.cardinality()).isEqualTo(counted);
  }
}
