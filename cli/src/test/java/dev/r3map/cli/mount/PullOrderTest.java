package dev.r3map.cli.mount;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.Geometry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongUnaryOperator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PullOrderTest {
  private static final int CHUNK = 4096;

  @TempDir private Path folder;

  @Test
  void chunksComeInTheOrderOfTheirFirstMentionAndTheOthersLast() throws Exception {
    Path file =
        Files.writeString(
            folder.resolve("order"),
            """
            # the index at the end comes first
            16KiB
            0x2001   # in the third chunk

            4097
            16385
            """);

    LongUnaryOperator priority = PullOrder.read(file, CHUNK);

    assertThat(
            LongStream.iterate(0, offset -> offset + CHUNK)
                .limit(6)
                .boxed()
                .sorted((a, b) -> Long.compare(priority.applyAsLong(b), priority.applyAsLong(a))))
        .containsExactly(16384L, 8192L, 4096L, 0L, 12288L, 20480L);
  }

  @Test
  void aLineThatIsNoOffsetIsNamed() throws Exception {
    Path file = Files.writeString(folder.resolve("order"), "0\n\n12 monkeys\n");

    assertThatThrownBy(() -> PullOrder.read(file, CHUNK))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("line 3")
        .hasMessageContaining("12 monkeys");
  }

  @Test
  void theChunkSizeIsWhatTheResourcePrefersIfThatWillDo() {
    assertThat(PullOrder.chunkSize(new Geometry(1, 1 << 20, 1 << 25, false))).isEqualTo(1 << 20);
    assertThat(PullOrder.chunkSize(new Geometry(1, 1000, 1 << 25, false))).isEqualTo(256 << 10);
    assertThat(PullOrder.chunkSize(Geometry.ANY)).isEqualTo(256 << 10);
  }
}
