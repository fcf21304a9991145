package dev.r3map.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.DirectMount;
import dev.r3map.Durability;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class MountOptionsTest {
  @Test
  void theDefaultsAreThoseThatAreDocumented() {
    MountOptions options = new MountOptions();
    assertThat(options.pushInterval).isEqualTo(Duration.ofSeconds(20));
    assertThat(options.pushWorkers).isEqualTo(16);
    assertThat(options.ioTimeout).isEqualTo(Duration.ofSeconds(30));
    assertThat(options.ioTimeout).isEqualTo(DirectMount.DEFAULT_IO_TIMEOUT);
    assertThat(options.durability).isEqualTo(Durability.REMOTE);
    assertThat(options.pullWorkers).isEqualTo(MountOptions.AUTOMATIC);
    assertThat(options.pullFirst).isZero();
    assertThat(options.readOnly).isFalse();
    assertThat(options.cache).isNull();
    assertThat(options.local).isNull();
    assertThat(options.pushes()).isTrue();
  }

  @Test
  void withoutWorkersOrAnIntervalOrToReadOnlyNothingIsPushed() {
    MountOptions noWorkers = new MountOptions();
    noWorkers.pushWorkers = 0;
    MountOptions noInterval = new MountOptions();
    noInterval.pushInterval = Duration.ZERO;
    MountOptions readOnly = new MountOptions();
    readOnly.readOnly = true;
    assertThat(noWorkers.pushes()).isFalse();
    assertThat(noInterval.pushes()).isFalse();
    assertThat(readOnly.pushes()).isFalse();
  }
}
