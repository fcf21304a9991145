package dev.r3map.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class PayloadTest {
  @Test
  void everyRangeHoldsTheSameBytesAtTheSameOffsets() {
    Payload payload = Payload.of(42);
    ByteBuffer all = payload.bytes(0, 100);
    for (int from = 0; from < 100; from++) {
      for (int to = from; to <= 100; to++) {
        assertThat(payload.bytes(from, to - from)).isEqualTo(all.slice(from, to - from));
      }
      assertThat(payload.at(from)).isEqualTo(all.get(from)).isNotZero();
    }
  }

  @Test
  void bytesFarOutAreBytesToo() {
    Payload payload = Payload.of(1);
    ByteBuffer bytes = ByteBuffer.allocateDirect(1000);
    payload.fill(bytes, (1L << 40) + 3);

    payload.verify(bytes.flip(), (1L << 40) + 3);
    assertThat(payload.mismatch(bytes, 3)).isEqualTo(3);
  }

  @Test
  void firstByteThatDiffersIsFoundWhereverItIs() {
    Payload payload = Payload.of(7);
    for (int wrong = 0; wrong < 40; wrong++) {
      ByteBuffer bytes = payload.bytes(5, 40);
      bytes.put(wrong, (byte) 0);
      bytes.put(39, (byte) 0);

      assertThat(payload.mismatch(bytes, 5)).isEqualTo(5 + wrong);
      assertThat(bytes.position()).isZero();
    }
  }

  @Test
  void errorSaysWhichByteAndWhetherItIsZero() {
    ByteBuffer bytes = Payload.of(7).bytes(0, 10);
    bytes.put(4, (byte) 0);

    assertThatThrownBy(() -> Payload.of(7).verify(bytes, 0))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("byte 4 is 0x00 as if never written")
        .hasMessageContaining("0x%02x".formatted(Payload.of(7).at(4)));
  }

  @Test
  void otherSeedsGiveOtherBytes() {
    assertThat(Payload.of(1).bytes(0, 64)).isNotEqualTo(Payload.of(2).bytes(0, 64));
    assertThat(Payload.of(1).bytes(8, 64)).isNotEqualTo(Payload.of(2).bytes(0, 64));
  }
}
