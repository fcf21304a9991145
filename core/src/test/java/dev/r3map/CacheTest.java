package dev.r3map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.store.ScriptedBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class CacheTest {
  private static final int CHUNK = 16 << 10;

  @TempDir Path folder;
  private Path cache = Path.of("");
  private final ScriptedBackend remote = new ScriptedBackend(5 * CHUNK + 100);

  @BeforeEach
  void setUp() {
    cache = folder.resolve("x.cache");
  }

  private ManagedMount mount() {
    return ManagedMount.on(remote)
        .chunkSize(CHUNK)
        .pullWorkers(0)
        .pushInterval(Duration.ofHours(1))
        .ioTimeout(Duration.ofMillis(200))
        .cache(cache);
  }

  private static byte[] all(Region region) throws IOException {
    ByteBuffer dst = ByteBuffer.allocate((int) region.size());
    region.read(dst, 0);
    return dst.array();
  }

  @Test
  void whatWasPulledIsNotPulledAgain() throws Exception {
    try (Region region = mount().open()) {
      all(region);
    }
    int reads = remote.reads.get();
    try (Region region = mount().open()) {
      assertThat(region.progress().fractionLocal()).isEqualTo(1);
      assertThat(all(region)).isEqualTo(remote.bytes);
    }
    assertThat(remote.reads.get()).isEqualTo(reads);
  }

  @Test
  void chunksThatAreLocalFromTheStartAreAnnouncedToo() throws Exception {
    try (Region region = mount().open()) {
      region.awaitLocal(CHUNK, 1, Duration.ofSeconds(1));
    }
    java.util.List<Long> local = new java.util.ArrayList<>();
    try (Region region = mount().onChunkLocal(local::add).open()) {
      assertThat(local).containsExactly((long) CHUNK);
      assertThat(region.progress().local()).isEqualTo(CHUNK);
    }
  }

  @Test
  void whatCouldNotBePushedIsPushedByTheNextMount() throws Exception {
    byte[] expected = remote.bytes.clone();
    Arrays.fill(expected, 5000, 9000, (byte) 7);
    Region region = mount().open();
    region.write(ByteBuffer.wrap(expected, 5000, 4000), 5000);
    remote.onWrite =
        (offset, length) -> {
          throw new IOException("away");
        };
    assertThatThrownBy(region::close)
        .hasMessageContaining("kept in")
        .hasMessageContaining(cache.toString());
    remote.onWrite = (offset, length) -> {};
    try (Region again = mount().open()) {
      assertThat(again.progress().dirty()).isEqualTo(8192);
      assertThat(all(again)).isEqualTo(expected);
      again.sync();
      assertThat(again.progress().dirty()).isZero();
    }
    assertThat(remote.durable).isEqualTo(expected);
  }

  @Test
  void localDurabilityNeedsNoRemote() throws Exception {
    try (Region region = mount().durability(Durability.LOCAL).open()) {
      region.write(ByteBuffer.wrap(new byte[4096]), 0);
      int writes = remote.writes.get();
      region.flush();
      assertThat(remote.writes.get()).isEqualTo(writes);
      assertThat(region.progress().dirty()).isEqualTo(4096);
    }
    assertThatThrownBy(() -> ManagedMount.on(remote).durability(Durability.LOCAL).open())
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aResourceThatChangedIsNotMixedWithTheOldOne() throws Exception {
    mount().open().close();
    remote.identity = "v2";
    assertThatThrownBy(() -> mount().open())
        .isInstanceOf(ResourceChangedException.class)
        .hasMessageContaining("v1")
        .hasMessageContaining("v2");
  }

  @Test
  void aFileThatIsNoCacheIsLeftAlone() throws Exception {
    Files.writeString(cache, "a letter");
    assertThatThrownBy(() -> mount().open())
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("not a cache");
    assertThat(cache).hasContent("a letter");
    assertThat(folder).isDirectoryNotContaining(p -> p.toString().endsWith(".journal"));
  }

  @Test
  void aJournalWithoutItsCacheIsNotBelieved() throws Exception {
    try (Region region = mount().open()) {
      all(region);
    }
    Files.delete(cache);
    assertThatThrownBy(() -> mount().open())
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("is not");
  }

  @Test
  void whoWasKilledBetweenMakingTheJournalAndTheCacheCanTryAgain() throws Exception {
    mount().open().close();
    Files.delete(cache);
    try (Region region = mount().open()) {
      assertThat(all(region)).isEqualTo(remote.bytes);
    }
  }

  @Test
  void anEmptyResourceCanBeMountedAgain() throws Exception {
    for (int i = 0; i < 2; i++) {
      try (Region region = ManagedMount.on(new ScriptedBackend(0)).cache(cache).open()) {
        assertThat(region.size()).isZero();
      }
    }
  }

  @Test
  void twoMountsCannotShareACache() throws Exception {
    try (Region region = mount().open()) {
      assertThatThrownBy(() -> mount().open())
          .isInstanceOf(PermanentIOException.class)
          .hasMessageContaining("in use");
      assertThat(all(region)).isEqualTo(remote.bytes);
    }
  }

  @Test
  void aCacheThatCannotBeOpenedLeavesNothingBehind() throws Exception {
    cache = folder.resolve("missing").resolve("x.cache");
    assertThatThrownBy(() -> mount().open()).isInstanceOf(IOException.class);
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void zerosOverOldBytesOfAReopenedCacheAreZeros() throws Exception {
    // Given a cache that holds bytes for a block that its journal calls absent.
    mount().open().close();
    try (java.io.RandomAccessFile file = new java.io.RandomAccessFile(cache.toFile(), "rw")) {
      file.write(new byte[] {1, 2, 3});
    }
    Arrays.fill(remote.bytes, 0, CHUNK, (byte) 0);
    try (Region region = mount().open()) {
      region.write(ByteBuffer.wrap(new byte[] {9}), 100);
      byte[] expected = remote.bytes.clone();
      expected[100] = 9;
      assertThat(all(region)).isEqualTo(expected);
    }
  }
}
