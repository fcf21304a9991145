package dev.r3map.it.resources;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Device;
import dev.r3map.Durability;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.linux.Fuse;
import dev.r3map.testkit.Payload;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The cache is on a disk of 16 MiB, the resource has 64: the disk is full soon. */
@ExtendWith(Watchdog.class)
class DiskFullIT {
  private static final int SIZE = 64 << 20;
  private static final int DISK = 16 << 20;
  private static final int PIECE = 256 << 10;
  private static final Payload REMOTE = Payload.of(1);
  private static final Payload LOCAL = Payload.of(2);

  @TempDir Path folder;
  private Path disk = Path.of("");
  private Path file = Path.of("");
  private Backend remote = MemoryBackend.of(0);

  DiskFullIT() throws IOException {}

  @BeforeEach
  void fillRemote() throws IOException {
    disk = Files.createDirectory(folder.resolve("disk"));
    file = folder.resolve("file");
    remote = MemoryBackend.of(SIZE);
    for (long at = 0; at < SIZE; at += PIECE) {
      remote.write(REMOTE.bytes(at, PIECE), at);
    }
  }

  @AfterEach
  void unmountDisk() throws Exception {
    remote.close();
    Programs.run("umount", "-l", disk.toString());
  }

  private void mountDisk(String kind) throws Exception {
    if (kind.equals("tmpfs")) {
      Programs.run("mount", "-t", "tmpfs", "-o", "size=" + DISK, "none", disk.toString());
      return;
    }
    Path image = folder.resolve("image");
    try (RandomAccessFile raw = new RandomAccessFile(image.toFile(), "rw")) {
      raw.setLength(DISK);
    }
    Programs.run("mkfs.ext4", "-q", image.toString());
    Programs.run("mount", "-o", "loop", image.toString(), disk.toString());
  }

  private ManagedMount mount() {
    return ManagedMount.on(remote)
        .chunkSize(PIECE)
        .pullWorkers(0)
        .pushInterval(Duration.ofHours(1))
        .durability(Durability.LOCAL)
        .cache(disk.resolve("cache"));
  }

  /** Writes pieces one after the other; returns how many were taken before the disk was full. */
  private static int writeUntilFull(FileChannel path) throws IOException {
    for (int piece = 0; piece < SIZE / PIECE; piece++) {
      long at = (long) piece * PIECE;
      try {
        assertThat(path.write(LOCAL.bytes(at, PIECE), at)).isEqualTo(PIECE);
        path.force(false);
      } catch (IOException e) {
        assertThat(e).hasMessageContaining("No space left");
        return piece;
      }
    }
    throw new AssertionError("the disk never was full");
  }

  private static ByteBuffer read(FileChannel path, long at) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(PIECE);
    while (bytes.hasRemaining() && path.read(bytes, at + bytes.position()) > 0) {}
    return bytes.flip();
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmpfs", "ext4"})
  void theWriterIsToldAndNothingThatWasTakenIsLost(String kind) throws Exception {
    mountDisk(kind);
    int taken;
    try (Region region = mount().open();
        Device device = Fuse.attach(region, file);
        FileChannel path =
            FileChannel.open(device.path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      taken = writeUntilFull(path);
      assertThat(taken).isGreaterThan(8);

      // What is here stays readable, and what is not here is an error and no hang.
      for (int piece = 0; piece < taken; piece++) {
        LOCAL.verify(read(path, (long) piece * PIECE), (long) piece * PIECE);
      }
      assertThatThrownBy(() -> region.read(ByteBuffer.allocate(1), SIZE - 1))
          .isInstanceOf(NoSpaceException.class)
          .hasMessageContaining("cache");

      // Old room can be used again.
      path.write(LOCAL.bytes(0, PIECE), 0);
      path.force(false);
      region.sync();
      verifyRemote(taken);
    }
    // And the next mount finds it all.
    try (Region again = mount().open()) {
      ByteBuffer bytes = ByteBuffer.allocate(taken * PIECE);
      again.read(bytes, 0);
      LOCAL.verify(bytes.flip(), 0);
    }
  }

  private void verifyRemote(int taken) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(PIECE);
    for (int piece = 0; piece < taken; piece++) {
      remote.read(bytes.clear(), (long) piece * PIECE);
      LOCAL.verify(bytes.flip(), (long) piece * PIECE);
    }
    remote.read(bytes.clear(), SIZE - PIECE);
    REMOTE.verify(bytes.flip(), SIZE - PIECE);
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmpfs", "ext4"})
  void writingGoesOnWhenThereIsRoomAgain(String kind) throws Exception {
    mountDisk(kind);
    Path other = disk.resolve("other");
    Files.write(other, new byte[DISK / 2]);
    try (Region region = mount().open();
        Device device = Fuse.attach(region, file);
        FileChannel path =
            FileChannel.open(device.path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      int taken = writeUntilFull(path);
      Files.delete(other);
      long at = (long) taken * PIECE;
      path.write(LOCAL.bytes(at, PIECE), at);
      path.force(false);
      LOCAL.verify(read(path, at), at);
      REMOTE.verify(read(path, SIZE - PIECE), SIZE - PIECE);
      region.sync();
      verifyRemote(taken + 1);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmpfs", "ext4"})
  void aWriterOfAMappingLosesNothingThatMsyncSaidWasKept(String kind) throws Exception {
    mountDisk(kind);
    try (Region region = mount().open();
        Device device = Fuse.attach(region, file)) {
      // The writer is another program: this one serves the file.
      String output =
          Programs.run(
              System.getProperty("java.home") + "/bin/java",
              "-cp",
              System.getProperty("java.class.path"),
              MappingWriter.class.getName(),
              device.path().toString(),
              String.valueOf(PIECE));
      int kept = Integer.parseInt(output.strip());
      assertThat(kept).isBetween(8, SIZE / PIECE - 1);
      region.sync();
      ByteBuffer bytes = ByteBuffer.allocate(PIECE);
      for (int piece = 0; piece < kept; piece++) {
        remote.read(bytes.clear(), (long) piece * PIECE);
        LOCAL.verify(bytes.flip(), (long) piece * PIECE);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmpfs", "ext4"})
  void aDiskThatIsFullAtOpenIsAnErrorAndLeavesNothing(String kind) throws Exception {
    mountDisk(kind);
    try (FileChannel other =
        FileChannel.open(
            disk.resolve("other"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      assertThatThrownBy(
              () -> {
                while (true) {
                  other.write(ByteBuffer.allocate(4096));
                }
              })
          .isInstanceOf(IOException.class);
    }
    assertThatThrownBy(() -> mount().open())
        .isInstanceOf(NoSpaceException.class)
        .hasMessageContaining(disk.toString());
    assertThat(disk.resolve("cache")).doesNotExist();
    assertThat(disk.resolve("cache.journal")).doesNotExist();
  }

  /**
   * Stores into a mapping of a file, piece by piece, until that fails; prints how many it could.
   */
  static final class MappingWriter {
    private MappingWriter() {}

    public static void main(String[] args) throws IOException {
      int piece = Integer.parseInt(args[1]);
      int kept = 0;
      try (FileChannel path =
          FileChannel.open(Path.of(args[0]), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        var map = path.map(FileChannel.MapMode.READ_WRITE, 0, SIZE);
        while (kept < SIZE / piece) {
          map.put(kept * piece, LOCAL.bytes((long) kept * piece, piece), 0, piece);
          map.force(kept * piece, piece);
          path.force(false);
          kept++;
        }
      } catch (IOException | RuntimeException | InternalError e) {
        System.err.println("ended as it should: " + e);
      }
      System.out.println(kept);
    }
  }
}
