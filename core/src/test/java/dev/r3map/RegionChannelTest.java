package dev.r3map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.store.ScriptedBackend;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.NonWritableChannelException;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class RegionChannelTest {
  private final ScriptedBackend remote = new ScriptedBackend(10_000);

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void behavesLikeAFileOfFixedSize(boolean managed) throws Exception {
    try (Region region =
            managed ? ManagedMount.on(remote).chunkSize(4096).open() : DirectMount.open(remote);
        FileChannel file = region.file()) {
      assertThat(file.size()).isEqualTo(10_000);
      ByteBuffer dst = ByteBuffer.allocate(4000);
      assertThat(file.position(8000).read(dst)).isEqualTo(2000);
      assertThat(Arrays.copyOf(dst.array(), 2000))
          .isEqualTo(Arrays.copyOfRange(remote.bytes, 8000, 10_000));
      assertThat(file.read(dst)).isEqualTo(-1);
      assertThat(file.read(ByteBuffer.allocate(0))).isZero();
      assertThat(file.position()).isEqualTo(10_000);

      ByteArrayOutputStream copy = new ByteArrayOutputStream();
      assertThat(file.transferTo(5, 20_000, Channels.newChannel(copy))).isEqualTo(9995);
      assertThat(copy.toByteArray()).isEqualTo(Arrays.copyOfRange(remote.bytes, 5, 10_000));

      byte[] fresh = new byte[5000];
      Arrays.fill(fresh, (byte) 3);
      assertThat(file.position(100).write(ByteBuffer.wrap(fresh))).isEqualTo(5000);
      assertThat(file.position()).isEqualTo(5100);
      file.force(false);
      assertThat(Arrays.copyOfRange(remote.durable, 100, 5100)).containsOnly(3);
      assertThat(
              file.transferFrom(
                  Channels.newChannel(new ByteArrayInputStream(new byte[300])), 9900, 300))
          .isEqualTo(100);

      assertThatThrownBy(() -> file.write(ByteBuffer.allocate(2), 9999))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("cannot grow");
      assertThatThrownBy(() -> file.truncate(9999)).isInstanceOf(IOException.class);
      assertThat(file.truncate(10_000)).isSameAs(file);
      assertThatThrownBy(() -> file.map(FileChannel.MapMode.READ_ONLY, 0, 10))
          .isInstanceOf(UnsupportedOperationException.class);
    }
  }

  @Test
  void closingItLeavesTheRegionOpen() throws Exception {
    try (Region region = DirectMount.open(remote)) {
      FileChannel file = region.file();
      file.close();
      assertThatThrownBy(file::size).isInstanceOf(ClosedChannelException.class);
      ByteBuffer dst = ByteBuffer.allocate(1);
      region.read(dst, 0);
      assertThat(dst.get(0)).isEqualTo(remote.bytes[0]);
    }
  }

  @Test
  void aReadOnlyRegionIsAReadOnlyFile() throws Exception {
    try (Region region = DirectMount.open(remote, true, Duration.ofSeconds(1));
        FileChannel file = region.file()) {
      assertThatThrownBy(() -> file.write(ByteBuffer.allocate(1), 0))
          .isInstanceOf(NonWritableChannelException.class);
    }
  }

  @Test
  void aDirectMountTriesAgainAndNeverKeepsAnything() throws Exception {
    int[] failures = {3};
    remote.onRead =
        (offset, length) -> {
          if (failures[0]-- > 0) {
            throw new IOException("hiccup");
          }
        };
    try (Region region = DirectMount.open(remote)) {
      ByteBuffer dst = ByteBuffer.allocate(100);
      region.read(dst, 50);
      assertThat(dst.array()).isEqualTo(Arrays.copyOfRange(remote.bytes, 50, 150));
      region.read(dst.clear(), 50);
      assertThat(remote.reads.get()).isEqualTo(5);
      assertThatThrownBy(() -> region.awaitLocal(1, Duration.ofSeconds(1)))
          .isInstanceOf(UnsupportedOperationException.class);
    }
  }
}
