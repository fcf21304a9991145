package dev.r3map.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.Shell;
import dev.r3map.store.ScriptedBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class PortablePlatformTest {
  private static final int MIB = 1 << 20;
  private static final int PIECE = 64 << 10;

  private final Platform platform = new PortablePlatform();
  @TempDir Path folder;

  private static byte[] bytes(int length, int value) {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }

  private static byte[] read(LocalStorage storage, long offset, int length) throws IOException {
    // Not zeros to begin with: a read that does nothing must not look like one of zeros.
    ByteBuffer dst = ByteBuffer.wrap(bytes(length, 0xA4));
    storage.read(dst, offset);
    assertThat(dst.hasRemaining()).isFalse();
    return dst.array();
  }

  /**
   * Writes pieces from the beginning until the disk is full, and says how many there was room for.
   */
  private static int fill(LocalStorage storage, int value) throws IOException {
    for (int piece = 0; ; piece++) {
      try {
        storage.write(ByteBuffer.wrap(bytes(PIECE, value)), (long) piece * PIECE);
      } catch (NoSpaceException e) {
        assertThat(e).hasMessageContaining("no space left").hasMessageContaining("offset=");
        return piece;
      }
    }
  }

  private interface OnSmallDisk {
    void run(Path disk) throws Exception;
  }

  private void onSmallDisk(OnSmallDisk test) throws Exception {
    assertThat(Shell.isRoot()).as("mounting needs root").isTrue();
    Path disk = Files.createDirectory(folder.resolve("disk"));
    Shell.run("mount", "-t", "tmpfs", "-o", "size=1m", "none", disk.toString());
    try {
      test.run(disk);
    } finally {
      Shell.run("umount", disk.toString());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4096, 3 * PIECE + 5})
  void aFileHoldsWhatIsWritten(int size) throws Exception {
    Path path = folder.resolve("cache");
    try (LocalStorage storage = platform.file(path, size)) {
      assertThat(Arrays.equals(read(storage, 0, size), new byte[size])).isTrue();
      storage.write(ByteBuffer.allocateDirect(size).put(bytes(size, 1)).flip(), 0);
      assertThat(Arrays.equals(read(storage, 0, size), bytes(size, 1))).isTrue();
      storage.punch(0, size);
      assertThat(Arrays.equals(read(storage, 0, size), new byte[size])).isTrue();
      storage.write(ByteBuffer.wrap(bytes(size, 2)).asReadOnlyBuffer(), 0);
      storage.force();
    }
    assertThat(path).hasBinaryContent(bytes(size, 2));
  }

  @Test
  void anInterruptDoesNoHarm() throws Exception {
    try (LocalStorage storage = platform.memory(MIB)) {
      Thread.currentThread().interrupt();
      storage.write(ByteBuffer.wrap(bytes(MIB, 1)), 0);
      storage.punch(0, PIECE);
      storage.force();
      assertThat(Thread.interrupted()).isTrue();
      assertThat(read(storage, PIECE, PIECE)).containsOnly(1);
    }
  }

  @Test
  void aFullDiskFailsAWriteAndNothingElse() throws Exception {
    onSmallDisk(disk -> {
      try (LocalStorage storage = platform.file(disk.resolve("cache"), 4 * MIB)) {
        int pieces = fill(storage, 1);
        assertThat(pieces).isBetween(1, MIB / PIECE);
        assertThat(fill(storage, 2)).isEqualTo(pieces);
        assertThat(read(storage, 0, pieces * PIECE)).containsOnly(2);
        assertThatThrownBy(() -> storage.punch(2 * MIB, MIB)).isInstanceOf(NoSpaceException.class);
      }
    });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 8, 100, 4096, MIB})
  void whatWasNeverWrittenReadsAsZerosAlsoOnAFullDisk(int length) throws Exception {
    onSmallDisk(disk -> {
      try (LocalStorage storage = platform.file(disk.resolve("cache"), 4 * MIB)) {
        fill(storage, 1);
        // Often, because compiled code may fail in another way.
        for (int i = 0; i < 20_000; i += Math.max(1, length / 100)) {
          assertThat(read(storage, 2 * MIB, length)).containsOnly(0);
        }
      }
    });
  }

  @Test
  void aFileThatSomebodyMadeShorterCannotBeRead() throws Exception {
    Path path = folder.resolve("cache");
    try (LocalStorage storage = platform.file(path, MIB)) {
      Files.write(path, new byte[0]);
      assertThatThrownBy(() -> read(storage, 0, PIECE))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("shorter");
    }
  }

  @Test
  void aRegionWhoseCacheIsFullSaysSoAndKeepsWhatItHas() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(4 * MIB);
    onSmallDisk(disk -> {
      try (Region region =
          ManagedMount.on(remote)
              .chunkSize(PIECE)
              .pullWorkers(0)
              .pushInterval(Duration.ofHours(1))
              .cache(disk.resolve("cache"))
              .open()) {
        region.write(ByteBuffer.wrap(bytes(PIECE, 3)), 0);
        assertThatThrownBy(() -> region.read(ByteBuffer.allocate(4 * MIB), 0))
            .isInstanceOf(NoSpaceException.class);
        assertThatThrownBy(() -> region.write(ByteBuffer.wrap(bytes(2 * MIB, 4)), 2 * MIB))
            .isInstanceOf(NoSpaceException.class);
        ByteBuffer kept = ByteBuffer.allocate(PIECE);
        region.read(kept, 0);
        assertThat(kept.array()).containsOnly(3);
      }
    });
    assertThat(Arrays.copyOf(remote.durable, PIECE)).containsOnly(3);
  }
}
