package dev.r3map.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PullOrderTest {
  private static final Chunks CHUNKS = new Chunks(10 * 4096 - 1, 4096);

  private static List<Long> all(PullOrder order) {
    List<Long> found = new ArrayList<>();
    for (long chunk; (chunk = order.next()) >= 0; ) {
      found.add(chunk);
    }
    return found;
  }

  @Test
  void goesByOffsetWithoutAPriority() {
    assertThat(all(new PullOrder(CHUNKS, null)))
        .containsExactly(0L, 1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L);
  }

  @Test
  void higherPriorityFirstAndTiesByOffset() {
    // Given offsets, not indexes: the predecessor passed the latter.
    PullOrder order = new PullOrder(CHUNKS, offset -> offset >= 7 * 4096 ? 2 : offset / 4096 % 2);
    assertThat(all(order)).containsExactly(7L, 8L, 9L, 1L, 3L, 5L, 0L, 2L, 4L, 6L);
  }

  @Test
  void extremePrioritiesDoNotOverflow() {
    PullOrder order =
        new PullOrder(CHUNKS, offset -> offset == 8192 ? Long.MAX_VALUE : Long.MIN_VALUE + offset);
    assertThat(all(order).getFirst()).isEqualTo(2);
  }

  @Test
  void goesOnFromWhereAReaderWaited() {
    PullOrder order = new PullOrder(CHUNKS, null);
    order.next();
    order.readerAt(6);
    assertThat(all(order)).containsExactly(7L, 8L, 9L, 1L, 2L, 3L, 4L, 5L, 6L);
  }

  @Test
  void aChunkThatFailedComesAgain() {
    PullOrder order = new PullOrder(CHUNKS, offset -> -offset);
    assertThat(order.next()).isEqualTo(0);
    assertThat(order.next()).isEqualTo(1);
    order.giveBack(0);
    assertThat(all(order)).containsExactly(0L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L);
  }

  @Test
  void anEmptyResourceHasNothingToPull() {
    assertThat(new PullOrder(new Chunks(0, 4096), null).next()).isEqualTo(-1);
    assertThat(new PullOrder(new Chunks(0, 4096), o -> 1).next()).isEqualTo(-1);
  }
}
