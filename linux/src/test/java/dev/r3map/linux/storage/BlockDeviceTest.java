package dev.r3map.linux.storage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlockDeviceTest {
  private static final int SIZE = 1 << 20;

  @TempDir Path folder;

  private static String run(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output.strip();
  }

  @Test
  void aRangeOfADeviceIsZeroedAlthoughItsFileHasNoSize() throws Exception {
    Path disk = folder.resolve("disk");
    try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
      file.setLength(SIZE);
    }
    String device = run("losetup", "-f", "--show", disk.toString());
    try (Backend backend = FileBackend.open(Path.of(device))) {
      byte[] bytes = new byte[SIZE];
      Arrays.fill(bytes, (byte) 7);
      backend.write(ByteBuffer.wrap(bytes), 0);
      backend.zero(1000, 100_000);
      backend.discard(500_000, 1000);
      ByteBuffer back = ByteBuffer.allocate(SIZE);
      backend.read(back, 0);
      Arrays.fill(bytes, 1000, 101_000, (byte) 0);
      assertThat(Arrays.mismatch(back.array(), bytes))
          .satisfiesAnyOf(
              at -> assertThat(at).isEqualTo(-1), at -> assertThat(at).isBetween(500_000, 501_000));
      assertThat(backend.extents(0, SIZE)).isNotEmpty();
    } finally {
      run("losetup", "-d", device);
    }
  }
}
