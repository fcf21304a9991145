package dev.r3map;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.Extent;
import dev.r3map.store.ScriptedBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Zeros are not stored, so a read must put them there: what the buffer held must not stay. */
@Timeout(30)
class ZerosTest {
  private static final int CHUNK = 16 << 10;
  private static final int FROM = CHUNK + 4096;
  private static final int TO = 3 * CHUNK + 4096;
  private static final Duration LONG = Duration.ofSeconds(20);

  private final ScriptedBackend remote = new ScriptedBackend(5 * CHUNK + 100);

  ZerosTest() {
    Arrays.fill(remote.bytes, FROM, TO, (byte) 0);
    Arrays.fill(remote.bytes, 5 * CHUNK, 5 * CHUNK + 100, (byte) 0);
  }

  private ManagedMount mount() {
    return ManagedMount.on(remote)
        .chunkSize(CHUNK)
        .pullWorkers(0)
        .pushInterval(Duration.ofHours(1));
  }

  /** Into buffers on and off the heap, whole and in pieces that cut blocks. */
  private void readsAsTheRemote(Region region) throws IOException {
    for (int piece : new int[] {Math.toIntExact(region.size()), CHUNK, 4096, 1000}) {
      for (boolean direct : new boolean[] {false, true}) {
        for (int at = 0; at < region.size(); at += piece) {
          int length = (int) Math.min(piece, region.size() - at);
          ByteBuffer dst = direct ? ByteBuffer.allocateDirect(length) : ByteBuffer.allocate(length);
          while (dst.hasRemaining()) {
            dst.put((byte) 0xA4);
          }
          region.read(dst.flip(), at);
          assertThat(dst.flip()).isEqualTo(ByteBuffer.wrap(remote.bytes, at, length));
        }
      }
    }
  }

  @Test
  void arePulledOnDemand() throws Exception {
    try (Region region = mount().open()) {
      readsAsTheRemote(region);
    }
  }

  @Test
  void arePulledAhead() throws Exception {
    try (Region region = mount().pullWorkers(2).open()) {
      region.awaitLocal(1, LONG);
      readsAsTheRemote(region);
    }
  }

  @Test
  void areWhereTheRemoteHasAHole() throws Exception {
    remote.extents =
        List.of(
            Extent.data(0, FROM),
            Extent.hole(FROM, TO - FROM),
            Extent.data(TO, 5 * CHUNK - TO),
            Extent.hole(5 * CHUNK, 100));
    try (Region region = mount().pullWorkers(2).open()) {
      region.awaitLocal(1, LONG);
      readsAsTheRemote(region);
    }
  }

  @Test
  void areInALocalStoreThatHeldOtherBytes() throws Exception {
    try (Region region = mount().local(new ScriptedBackend(5 * CHUNK + 100)).open()) {
      readsAsTheRemote(region);
    }
  }

  @Test
  void areInACacheThatIsOpenedAgain(@TempDir Path folder) throws Exception {
    ManagedMount mount = mount().cache(folder.resolve("cache"));
    try (Region region = mount.open()) {
      readsAsTheRemote(region);
    }
    int reads = remote.reads.get();
    try (Region region = mount.open()) {
      readsAsTheRemote(region);
    }
    assertThat(remote.reads.get()).isEqualTo(reads);
  }

  @Test
  void canBeWrittenOver() throws Exception {
    byte[] expected = remote.bytes.clone();
    Arrays.fill(expected, FROM + 10, FROM + 5000, (byte) 7);
    try (Region region = mount().open()) {
      readsAsTheRemote(region);
      region.write(ByteBuffer.wrap(expected, FROM + 10, 4990), FROM + 10);
      region.sync();
      assertThat(remote.bytes).isEqualTo(expected);
      readsAsTheRemote(region);
    }
  }
}
