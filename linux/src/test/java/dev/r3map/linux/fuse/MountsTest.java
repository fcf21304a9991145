package dev.r3map.linux.fuse;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class MountsTest {
  @Test
  void aTestThatMountsFailsWhereFuseIsMissingAndSaysWhy() {
    assertThatThrownBy(() -> Mounts.require(Optional.of("FUSE: there is no /dev/fuse")))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("there is no /dev/fuse");
    assertThatCode(() -> Mounts.require(Optional.empty())).doesNotThrowAnyException();
  }
}
