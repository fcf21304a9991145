package dev.r3map.linux.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class HandedPagesTest {
  private static final int BLOCK = 4096;
  private static final long LEAF = 128L << 20;

  @Test
  void marksEveryBlockThatIsTouched() throws Exception {
    HandedPages pages = new HandedPages(10 * BLOCK);
    pages.mark(BLOCK + 1, BLOCK);
    assertThat(pages.any(0, BLOCK)).isFalse();
    assertThat(pages.any(0, BLOCK + 1)).isTrue();
    assertThat(pages.any(3 * BLOCK - 1, 1)).isTrue();
    assertThat(pages.any(3 * BLOCK, 7 * BLOCK)).isFalse();
  }

  @Test
  void runsEndWhereTheKindChanges() throws Exception {
    HandedPages pages = new HandedPages(2 * LEAF);
    pages.mark(LEAF - BLOCK, 2 * BLOCK);
    assertThat(pages.run(0, 2 * LEAF, false)).isEqualTo(LEAF - BLOCK);
    assertThat(pages.run(5, 100, false)).isEqualTo(100);
    assertThat(pages.run(LEAF - BLOCK, 2 * LEAF, true)).isEqualTo(LEAF + BLOCK);
    assertThat(pages.run(LEAF - BLOCK, 2 * LEAF, false)).isEqualTo(LEAF - BLOCK);
    assertThat(pages.run(LEAF + BLOCK, 2 * LEAF, false)).isEqualTo(2 * LEAF);
  }

  @Test
  void agreesWithASet() throws Exception {
    Random random = new Random(7);
    int blocks = 5000;
    HandedPages pages = new HandedPages(blocks * (long) BLOCK);
    BitSet expected = new BitSet();
    for (int i = 0; i < 300; i++) {
      int from = random.nextInt(blocks);
      int to = from + 1 + random.nextInt(Math.min(200, blocks - from));
      pages.mark(from * (long) BLOCK, (to - from) * (long) BLOCK);
      expected.set(from, to);
      int at = random.nextInt(blocks);
      int end = at + 1 + random.nextInt(blocks - at);
      int unmarked = Math.min(end, expected.nextClearBit(at));
      int marked = expected.nextSetBit(at);
      assertThat(pages.run(at * (long) BLOCK, end * (long) BLOCK, true))
          .isEqualTo(unmarked * (long) BLOCK);
      assertThat(pages.run(at * (long) BLOCK, end * (long) BLOCK, false))
          .isEqualTo((marked < 0 ? end : Math.min(end, marked)) * (long) BLOCK);
    }
  }

  @Test
  void worksForNothing() throws Exception {
    assertThat(new HandedPages(0).any(0, 0)).isFalse();
  }
}
