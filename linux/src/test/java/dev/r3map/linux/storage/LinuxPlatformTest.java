package dev.r3map.linux.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.Extent;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.Platform;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LinuxPlatformTest {
  private static final long GIB = 1L << 30;
  private static final int MIB = 1 << 20;

  private final LinuxPlatform platform = new LinuxPlatform();
  @TempDir Path dir;

  @Test
  void isThePlatformOfThisMachine() {
    assertThat(Platform.current()).isInstanceOf(LinuxPlatform.class);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 4095, 4096, 4097, MIB + 1})
  void memoryHoldsWhatIsWritten(long size) throws IOException {
    try (LocalStorage storage = platform.memory(size)) {
      holdsWhatIsWritten(storage, size);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 4095, 4096, 4097, MIB + 1})
  void aFileHoldsWhatIsWritten(long size) throws IOException {
    Path path = dir.resolve("cache");
    try (LocalStorage storage = platform.file(path, size)) {
      holdsWhatIsWritten(storage, size);
      storage.force();
    }
    assertThat(path).hasSize(size);
  }

  private static void holdsWhatIsWritten(LocalStorage storage, long size) throws IOException {
    byte[] bytes = random((int) size);
    ByteBuffer direct = ByteBuffer.allocateDirect((int) size).put(bytes).flip();

    assertThat(read(storage, 0, (int) size)).containsOnly(new byte[size == 0 ? 0 : 1]);
    storage.write(ByteBuffer.wrap(bytes), 0);
    assertThat(read(storage, 0, (int) size)).isEqualTo(bytes);
    storage.punch(0, size);
    assertThat(read(storage, 0, (int) size)).containsOnly(new byte[size == 0 ? 0 : 1]);
    storage.write(direct, 0);
    assertThat(direct.hasRemaining()).isFalse();

    assertThat(storage.size()).isEqualTo(size);
    assertThat(storage.mapping().orElseThrow().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(bytes);
    assertThat(storage.descriptor()).isPresent();
  }

  @Test
  void onceItCouldNotBeForcedItNeverCan() throws IOException {
    Path path = dir.resolve("cache");
    try (LocalStorage storage = platform.file(path, 10)) {
      int fd = storage.descriptor().orElseThrow();
      FileCalls.close(fd);
      assertThatThrownBy(storage::force).isInstanceOf(IOException.class);
      assertThat(FileCalls.open(path, FileCalls.O_RDWR, 0)).isEqualTo(fd);
      assertThatThrownBy(storage::force).hasMessageContaining("did not reach the disk");
    }
  }

  @Test
  void memoryLargerThanWhatIsThereTakesOnlyWhatIsWritten() throws IOException {
    long size = 1024 * GIB;
    try (LocalStorage storage = platform.memory(size)) {
      storage.write(ByteBuffer.wrap(new byte[] {7}), size - 1);
      storage.write(ByteBuffer.wrap(new byte[] {8}), 5 * GIB);
      MemorySegment mapping = storage.mapping().orElseThrow();
      assertThat(mapping.byteSize()).isEqualTo(size);
      assertThat(mapping.get(ValueLayout.JAVA_BYTE, size - 1)).isEqualTo((byte) 7);
      assertThat(mapping.get(ValueLayout.JAVA_BYTE, 5 * GIB)).isEqualTo((byte) 8);
    }
  }

  @Test
  void aFileIsOnlyForItsOwner() throws IOException {
    Path path = dir.resolve("cache");
    platform.file(path, 10).close();
    assertThat(Files.getPosixFilePermissions(path)).hasToString("[OWNER_READ, OWNER_WRITE]");
  }

  @Test
  void aFileKeepsItsBytesAndTakesTheNewSize() throws IOException {
    Path path = dir.resolve("cache");
    Files.write(path, new byte[] {1, 2, 3, 4});
    try (LocalStorage storage = platform.file(path, 3)) {
      assertThat(read(storage, 0, 3)).containsExactly(1, 2, 3);
    }
    assertThat(path).hasBinaryContent(new byte[] {1, 2, 3});
  }

  @Test
  void rangesOutsideAreRefusedBeforeAnythingHappens() throws IOException {
    try (LocalStorage storage = platform.memory(10)) {
      ByteBuffer two = ByteBuffer.allocate(2);
      assertThatThrownBy(() -> storage.read(two, 9)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> storage.write(two, 9)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> storage.write(two, -1))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> storage.punch(9, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void anInterruptDoesNoHarm() throws IOException {
    try (LocalStorage storage = platform.file(dir.resolve("cache"), MIB)) {
      Thread.currentThread().interrupt();
      storage.write(ByteBuffer.wrap(random(MIB)), 0);
      storage.force();
      assertThat(Thread.interrupted()).isTrue();
      assertThat(read(storage, 0, MIB)).isEqualTo(random(MIB));
    }
  }

  @Test
  void aFullDiskFailsTheWriteAndSparesTheJvm() throws Exception {
    Path small = Files.createDirectory(dir.resolve("small"));
    assertThat(run("mount", "-t", "tmpfs", "-o", "size=1m", "r3map-test", small.toString()))
        .as("needs root")
        .isZero();
    try (LocalStorage storage = platform.file(small.resolve("cache"), 8 * MIB)) {
      storage.write(ByteBuffer.wrap(random(MIB / 2)), 0);
      assertThatThrownBy(() -> storage.write(ByteBuffer.wrap(random(4 * MIB)), MIB))
          .isInstanceOf(NoSpaceException.class)
          .hasMessageContaining("no space left")
          .hasMessageContaining("cache");
      assertThat(read(storage, 0, MIB / 2)).isEqualTo(random(MIB / 2));
      assertThat(read(storage, 7 * MIB, 1)).containsExactly(0);
    } finally {
      run("umount", "-l", small.toString());
    }
  }

  @Test
  void aFileThatSomebodyMadeShorterFailsTheRead() throws IOException {
    Path path = dir.resolve("cache");
    try (LocalStorage storage = platform.file(path, 4 * MIB)) {
      Files.write(path, new byte[10]);
      assertThatThrownBy(() -> read(storage, 2 * MIB, MIB))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("offset=2097152")
          .hasMessageContaining("shorter");
    }
  }

  @Test
  void holesAreFoundAndMade() throws IOException {
    Path path = dir.resolve("sparse");
    int tail = 100;
    long size = 4L * MIB + tail;
    try (LocalStorage storage = platform.file(path, size)) {
      storage.write(ByteBuffer.wrap(random(MIB)), MIB);
      storage.write(ByteBuffer.wrap(random(tail)), 4 * MIB);
    }
    assertThat(platform.extents(path, 0, size))
        .containsExactly(
            Extent.hole(0, MIB),
            Extent.data(MIB, MIB),
            Extent.hole(2 * MIB, 2 * MIB),
            Extent.data(4 * MIB, tail));
    assertThat(platform.extents(path, MIB + 5, 10)).containsExactly(Extent.data(MIB + 5, 10));
    assertThat(platform.extents(path, 5, 10)).containsExactly(Extent.hole(5, 10));
    assertThat(platform.extents(path, 5, 0)).isEmpty();

    assertThat(platform.punch(path, 4 * MIB, tail)).isTrue();
    assertThat(platform.punch(path, MIB, MIB)).isTrue();
    assertThat(platform.extents(path, 0, size)).containsExactly(Extent.hole(0, size));
    assertThat(path).hasSize(size);
  }

  @Test
  void memoryThatWasWrittenCanBeWrittenOver() throws IOException {
    try (LocalStorage storage = new LinuxPlatform().memory(10_000);
        LocalStorage file = new LinuxPlatform().file(dir.resolve("over"), 10_000)) {
      for (LocalStorage each : List.of(storage, file)) {
        each.write(ByteBuffer.wrap(new byte[10_000]), 0);
        ByteBuffer bytes = ByteBuffer.wrap(new byte[] {1, 2, 3});
        each.overwrite(bytes, 9_997);
        assertThat(bytes.remaining()).isZero();
        ByteBuffer read = ByteBuffer.allocate(4);
        each.read(read, 9_996);
        assertThat(read.array()).containsExactly(0, 1, 2, 3);
        assertThat(each.mapping().orElseThrow().isReadOnly()).isTrue();
        assertThatThrownBy(() -> each.overwrite(ByteBuffer.allocate(2), 9_999))
            .isInstanceOf(IndexOutOfBoundsException.class);
      }
    }
  }

  @Test
  void punchingMemoryFreesItAlsoAtTheEnd() throws IOException {
    int size = MIB + 1;
    try (LocalStorage storage = platform.memory(size)) {
      storage.write(ByteBuffer.wrap(random(size)), 0);
      storage.punch(0, size);
      Path file = Path.of("/proc/self/fd/" + storage.descriptor().orElseThrow());
      assertThat(platform.extents(file, 0, size)).isEqualTo(List.of(Extent.hole(0, size)));
    }
  }

  @Test
  void closesTwice() throws IOException {
    LocalStorage storage = platform.memory(MIB);
    MemorySegment mapping = storage.mapping().orElseThrow();
    storage.close();
    storage.close();
    assertThatThrownBy(() -> mapping.get(ValueLayout.JAVA_BYTE, 0))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> storage.write(ByteBuffer.allocate(1), 0))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("closed");
  }

  @Test
  void failureToOpenLeavesNoDescriptor() throws IOException {
    long before = descriptors();
    assertThatThrownBy(() -> platform.memory(Long.MAX_VALUE)).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> platform.file(dir.resolve("no/such/directory"), 1))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("no/such/directory");
    assertThat(descriptors()).isEqualTo(before);
  }

  private static long descriptors() throws IOException {
    try (var fds = Files.list(Path.of("/proc/self/fd"))) {
      return fds.count();
    }
  }

  private static byte[] read(LocalStorage storage, long offset, int length) throws IOException {
    ByteBuffer dst = ByteBuffer.allocate(length);
    storage.read(dst, offset);
    assertThat(dst.hasRemaining()).isFalse();
    return dst.array();
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(42).nextBytes(bytes);
    return bytes;
  }

  private static int run(String... command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
    return process.exitValue();
  }
}
