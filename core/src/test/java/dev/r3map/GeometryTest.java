package dev.r3map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.Geometry;
import dev.r3map.store.ScriptedBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How much travels at once. */
@Timeout(30)
class GeometryTest {
  private static final int KIB = 1 << 10;
  private static final int MIB = 1 << 20;
  private static final int ANY = Integer.MAX_VALUE;

  private record Transfer(long offset, long length) {}

  private final ScriptedBackend remote = new ScriptedBackend(MIB + 100);
  private final List<Transfer> reads = Collections.synchronizedList(new ArrayList<>());
  private final List<Transfer> writes = Collections.synchronizedList(new ArrayList<>());

  GeometryTest() {
    remote.onRead = (offset, length) -> reads.add(new Transfer(offset, length));
    remote.onWrite = (offset, length) -> writes.add(new Transfer(offset, length));
  }

  private ManagedMount mount() {
    return ManagedMount.on(remote).pullWorkers(0).pushInterval(Duration.ofHours(1));
  }

  private static void readOneByte(Region region, long offset) throws IOException {
    region.read(ByteBuffer.allocate(1), offset);
  }

  @Test
  void aChunkHas256KibibytesIfNobodyWantsAnything() throws Exception {
    try (Region region = mount().open()) {
      readOneByte(region, 300 * KIB);
    }
    assertThat(reads).containsExactly(new Transfer(256 * KIB, 256 * KIB));
  }

  @ParameterizedTest
  @CsvSource({
    "1, 65536, 2147483647, 65536",
    // Preferences that no chunk can have.
    "1, 100000, 2147483647, 262144",
    "1, 512, 2147483647, 262144",
    "1, 67108864, 2147483647, 262144",
    // Limits.
    "1, 0, 65536, 65536",
    "1, 0, 100000, 65536",
    "1, 131072, 65536, 65536",
    "524288, 0, 2147483647, 524288",
    "16384, 4096, 2147483647, 16384",
  })
  void aChunkIsWhatTheRemotePrefersWithinItsLimits(
      int required, int preferred, int most, int expected) throws Exception {
    remote.geometry = new Geometry(required, preferred, most, false);
    try (Region region = mount().open()) {
      readOneByte(region, 0);
    }
    assertThat(reads).containsExactly(new Transfer(0, expected));
  }

  @Test
  void aChunkSizeThatIsAskedForGoesBeforeThePreferredOne() throws Exception {
    remote.geometry = new Geometry(1, 64 * KIB, ANY, false);
    try (Region region = mount().chunkSize(16 * KIB).open()) {
      readOneByte(region, 0);
    }
    assertThat(reads).containsExactly(new Transfer(0, 16 * KIB));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 32 << 10, 1 << 20})
  void aRemoteThatTakesWholeChunksGetsWholeChunks(int offset) throws Exception {
    remote.geometry = new Geometry(16 * KIB, 0, ANY, false);
    byte[] expected = remote.bytes.clone();
    int length = Math.min(4096, expected.length - offset);
    Arrays.fill(expected, offset, offset + length, (byte) 7);
    try (Region region = mount().chunkSize(16 * KIB).open()) {
      region.write(ByteBuffer.wrap(expected, offset, length), offset);
      assertThat(reads).isEmpty();
      region.sync();
    }
    int whole = Math.min(16 * KIB, expected.length - offset);
    assertThat(writes).containsExactly(new Transfer(offset, whole));
    assertThat(remote.durable).isEqualTo(expected);
  }

  @Test
  void aChunkSizeThatIsNoMultipleOfWhatTheRemoteRequiresIsRefused() {
    remote.geometry = new Geometry(16 * KIB, 0, ANY, false);
    assertThatThrownBy(() -> mount().chunkSize(4 * KIB).open())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("4096")
        .hasMessageContaining("16384");
  }

  @Test
  void aChunkSizeThatTheRemoteDoesNotTransferAtOnceIsRefused() {
    remote.geometry = new Geometry(1, 0, 64 * KIB, false);
    assertThatThrownBy(() -> mount().chunkSize(128 * KIB).open())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("131072")
        .hasMessageContaining("65536");
  }

  @ParameterizedTest
  @CsvSource({"1, 1000", "49152, 2147483647", "67108864, 2147483647"})
  void aRemoteForWhichThereIsNoChunkSizeIsRefused(int required, int most) {
    remote.geometry = new Geometry(required, 0, most, false);
    assertThatThrownBy(() -> mount().open()).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aDirectMountRefusesARemoteThatTakesWholeChunksOnly() {
    remote.geometry = new Geometry(16 * KIB, 0, ANY, false);
    assertThatThrownBy(() -> DirectMount.open(remote))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("scripted:")
        .hasMessageContaining("16384")
        .hasMessageContaining("managed mount");
    assertThat(reads).isEmpty();
  }
}
