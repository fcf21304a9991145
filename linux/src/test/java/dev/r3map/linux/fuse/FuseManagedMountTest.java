package dev.r3map.linux.fuse;

import static dev.r3map.linux.fuse.Program.crc;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.Device;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.linux.Fuse;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The device over the real thing: a managed mount of a slow remote. */
@ExtendWith(Mounts.class)
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseManagedMountTest {
  private static final int SIZE = (4 << 20) + 777;

  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whateverDoorIsUsedAllAgreeWithAModel(boolean cacheFile) throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    byte[] model = new byte[SIZE];
    random.nextBytes(model);
    SlowBackend remote = new SlowBackend(model.clone());
    ManagedMount mount =
        ManagedMount.on(remote).chunkSize(64 << 10).pushInterval(Duration.ofMillis(50));
    if (cacheFile) {
      mount.cache(dir.resolve("cache"));
    }
    try (Region region = mount.open();
        Device device = Fuse.attach(region, dir.resolve("file"));
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      program.ok("mapwrite 0 " + SIZE);
      for (int i = 0; i < 400; i++) {
        int offset = random.nextInt(SIZE);
        int length = 1 + random.nextInt(Math.min(200_000, SIZE - offset));
        byte value = (byte) random.nextInt();
        String what = "seed=%d step=%d offset=%d length=%d".formatted(seed, i, offset, length);
        byte[] expected = Arrays.copyOfRange(model, offset, offset + length);
        switch (random.nextInt(6)) {
          case 0 -> {
            program.ok("write " + offset + " " + length + " " + value);
            Arrays.fill(model, offset, offset + length, value);
          }
          case 1 -> {
            program.ok("put " + offset + " " + length + " " + value);
            Arrays.fill(model, offset, offset + length, value);
            // Until then the region cannot know of it.
            program.ok("msync");
          }
          case 2 -> {
            byte[] bytes = new byte[length];
            Arrays.fill(bytes, value);
            region.write(ByteBuffer.wrap(bytes), offset);
            Arrays.fill(model, offset, offset + length, value);
          }
          case 3 ->
              assertThat(program.ok("read " + offset + " " + length))
                  .as(what)
                  .isEqualTo(crc(expected));
          case 4 ->
              assertThat(program.ok("get " + offset + " " + length))
                  .as(what)
                  .isEqualTo(crc(expected));
          default -> {
            ByteBuffer bytes = ByteBuffer.allocate(length);
            region.read(bytes, offset);
            assertThat(bytes.array()).as(what).isEqualTo(expected);
          }
        }
      }
      program.ok("sync");
      assertThat(remote.bytes).as("seed=" + seed).isEqualTo(model);
    }
  }

  private static final class SlowBackend implements Backend {
    private final byte[] bytes;

    SlowBackend(byte[] bytes) {
      this.bytes = bytes;
    }

    @Override
    public long size() {
      return bytes.length;
    }

    @Override
    public void read(ByteBuffer dst, long offset) throws IOException {
      pause();
      synchronized (bytes) {
        dst.put(bytes, (int) offset, dst.remaining());
      }
    }

    @Override
    public void write(ByteBuffer src, long offset) throws IOException {
      pause();
      synchronized (bytes) {
        src.get(bytes, (int) offset, src.remaining());
      }
    }

    @Override
    public void sync() {}

    @Override
    public void close() {}

    private static void pause() throws IOException {
      try {
        Thread.sleep(2);
      } catch (InterruptedException e) {
        throw new IOException("interrupted", e);
      }
    }
  }
}
