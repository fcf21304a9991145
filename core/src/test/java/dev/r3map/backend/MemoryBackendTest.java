package dev.r3map.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Backends;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryBackendTest {
  private static final int BLOCK = 4096;

  @Test
  void holesAreToldFromBlocksThatWereWritten() throws IOException {
    try (Backend backend = MemoryBackend.of(10 * BLOCK + 5)) {
      assertThat(backend.extents(0, backend.size()))
          .containsExactly(Extent.hole(0, 10 * BLOCK + 5));

      backend.write(bytes(1, 2), 3 * BLOCK - 1);
      backend.write(bytes(1, 5), 10 * BLOCK);

      assertThat(backend.extents(0, backend.size()))
          .containsExactly(
              Extent.hole(0, 2 * BLOCK),
              Extent.data(2 * BLOCK, 2 * BLOCK),
              Extent.hole(4 * BLOCK, 6 * BLOCK),
              Extent.data(10 * BLOCK, 5));
      assertThat(backend.extents(3 * BLOCK + 7, 2 * BLOCK))
          .containsExactly(
              Extent.data(3 * BLOCK + 7, BLOCK - 7), Extent.hole(4 * BLOCK, BLOCK + 7));
    }
  }

  @Test
  void zeroMakesHolesOfWholeBlocksAndOfAShortLastOne() throws IOException {
    try (Backend backend = MemoryBackend.of(4 * BLOCK + 5)) {
      backend.write(bytes(1, 4 * BLOCK + 5), 0);

      backend.zero(BLOCK - 1, 3 * BLOCK + 6);

      assertThat(backend.extents(0, backend.size()))
          .containsExactly(Extent.data(0, BLOCK), Extent.hole(BLOCK, 3 * BLOCK + 5));
      ByteBuffer block = ByteBuffer.allocate(BLOCK);
      backend.read(block, 0);
      assertThat(block.get(BLOCK - 2)).isEqualTo((byte) 1);
      assertThat(block.get(BLOCK - 1)).isZero();
    }
  }

  @Test
  void writeIntoABlockThatWasZeroedFindsZerosAroundIt() throws IOException {
    try (Backend backend = MemoryBackend.of(2 * BLOCK)) {
      backend.write(bytes(1, 2 * BLOCK), 0);
      backend.discard(0, BLOCK);

      backend.write(bytes(2, 1), 100);

      byte[] expected = new byte[BLOCK];
      expected[100] = 2;
      byte[] actual = new byte[BLOCK];
      backend.read(ByteBuffer.wrap(actual), 0);
      assertThat(actual).isEqualTo(expected);
    }
  }

  @Test
  void zeroOfSomeBytesKeepsWhatOthersWriteToTheRestOfTheBlock() throws Exception {
    try (Backend backend = MemoryBackend.of(64 * BLOCK);
        ExecutorService threads = Executors.newFixedThreadPool(2)) {
      for (int round = 0; round < 200; round++) {
        backend.zero(0, backend.size());
        // Every block is written in its first half while all others' second halves are zeroed.
        Future<?> zeroing =
            threads.submit(() -> {
              for (int block = 0; block < 64 * BLOCK; block += BLOCK) {
                backend.zero(block + BLOCK / 2, BLOCK / 2);
              }
              return null;
            });
        Future<?> writing =
            threads.submit(() -> {
              for (int block = 0; block < 64 * BLOCK; block += BLOCK) {
                backend.write(bytes(3, BLOCK / 2), block);
              }
              return null;
            });
        zeroing.get();
        writing.get();
        ByteBuffer all = ByteBuffer.allocate(64 * BLOCK);
        backend.read(all, 0);
        for (int block = 0; block < 64 * BLOCK; block += BLOCK) {
          assertThat(all.slice(block, BLOCK / 2)).isEqualTo(bytes(3, BLOCK / 2));
        }
      }
    }
  }

  @Test
  void sizeBeyondTheMemoryOfThisHostOpensAndIsReadAtOnce() throws IOException {
    try (Backend backend = MemoryBackend.of(64L << 30)) {
      ByteBuffer large = ByteBuffer.allocateDirect(16 << 20);
      for (long offset = 0; offset < backend.size(); offset += 8L << 30) {
        backend.read(large.clear(), offset);
      }
      backend.zero(0, backend.size());
      assertThat(backend.extents(0, backend.size())).containsExactly(Extent.hole(0, 64L << 30));
    }
  }

  @Test
  void twoMemoriesAreNeverTheSameResource() throws IOException {
    try (Backend one = MemoryBackend.of(1);
        Backend other = MemoryBackend.of(1)) {
      assertThat(one.identity()).isNotEmpty().isNotEqualTo(other.identity());
    }
  }

  @ParameterizedTest
  @CsvSource({"memory:1GiB, 1073741824", "memory:?size=4KiB, 4096", "MEMORY:0, 0"})
  void sizeIsPartOfTheUri(String uri, long size) throws IOException {
    try (Backend backend = Backends.open(Backends.parse(uri))) {
      assertThat(backend).isInstanceOf(MemoryBackend.class);
      assertThat(backend.size()).isEqualTo(size);
    }
  }

  @Test
  void sizeMayStandBesideTheUri() throws IOException {
    BackendOptions options = BackendOptions.DEFAULT.withSize(77);
    try (Backend backend = Backends.open(URI.create("memory:?size="), options)) {
      assertThat(backend.size()).isEqualTo(77);
    }
    assertThatThrownBy(() -> Backends.open(URI.create("memory:78"), options))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("77")
        .hasMessageContaining("78");
  }

  @ParameterizedTest
  @ValueSource(strings = {"memory:/", "memory:?size=", "memory:?"})
  void memoryWithoutASizeIsRefusedWithAnExample(String uri) {
    assertThatThrownBy(() -> Backends.open(URI.create(uri)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("memory:1GiB");
  }

  private static ByteBuffer bytes(int value, int count) {
    byte[] bytes = new byte[count];
    Arrays.fill(bytes, (byte) value);
    return ByteBuffer.wrap(bytes);
  }
}
