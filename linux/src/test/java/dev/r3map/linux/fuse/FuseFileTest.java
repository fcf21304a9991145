package dev.r3map.linux.fuse;

import static dev.r3map.linux.fuse.Program.crc;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Device;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.linux.Fuse;
import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.FileCalls;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserDefinedFileAttributeView;
import java.time.Instant;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What programs can do with the file. */
@ExtendWith(Mounts.class)
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseFileTest {
  private static final int MIB = 1 << 20;
  private static final long GIB = 1L << 30;

  @TempDir Path dir;

  private Path path() {
    return dir.resolve("file name");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4095, 4096, 4097, MIB + 1, 3 * MIB})
  void holdsWhatAProgramWrites(int size) throws Exception {
    try (TestRegion region = TestRegion.local(size);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      assertThat(device.path()).isEqualTo(path());
      assertThat(Files.size(path())).isEqualTo(size);
      program.ok("open rw " + path());
      assertThat(program.ok("size")).isEqualTo("" + size);
      assertThat(program.ok("read 0 " + size)).isEqualTo(crc(new byte[size]));
      program.ok("write 0 " + size + " 7");
      program.ok("sync");
      byte[] sevens = new byte[size];
      Arrays.fill(sevens, (byte) 7);
      assertThat(program.ok("read 0 " + size)).isEqualTo(crc(sevens));
      assertThat(program.ok("read " + size + " 10")).isEqualTo(crc(new byte[0]) + " 0");
      assertThat(contents(region)).isEqualTo(sevens);
    }
    assertThat(path()).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4095, 4097, MIB + 1})
  void canBeMapped(int size) throws Exception {
    try (TestRegion region = TestRegion.remote(size);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      program.ok("mapwrite 0 " + size);
      byte[] expected = TestRegion.pattern(0, size);
      assertThat(program.ok("get 0 " + size)).isEqualTo(crc(expected));
      program.ok("put " + (size - 1) + " 1 9");
      program.ok("msync");
      expected[size - 1] = 9;
      assertThat(contents(region)).isEqualTo(expected);
    }
  }

  @Test
  void fiveGibibytesTakeOnlyWhatIsWritten() throws Exception {
    try (TestRegion region = TestRegion.local(5 * GIB);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      program.ok("write " + (5 * GIB - 1) + " 1 3");
      program.ok("write " + (4 * GIB + 5) + " 1 4");
      assertThat(program.ok("read " + (5 * GIB - 2) + " 2")).isEqualTo(crc(new byte[] {0, 3}));
      assertThat(program.ok("read " + 4 * GIB + " " + MIB)).isNotEqualTo(crc(new byte[MIB]));
      assertThat(program.ok("read " + 2 * GIB + " " + MIB)).isEqualTo(crc(new byte[MIB]));
      program.ok("map " + 4 * GIB + " 100");
      byte[] expected = new byte[100];
      expected[5] = 4;
      assertThat(program.ok("get 0 100")).isEqualTo(crc(expected));
    }
  }

  @Test
  void whatIsMappedIsNotLostWhenTheDeviceIsClosed() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        Program program = Program.start()) {
      try (Device device = Fuse.attach(region, path())) {
        program.ok("open rw " + device.path());
        program.ok("mapwrite 0 " + MIB);
        program.ok("put 0 " + MIB + " 5");
      }
      byte[] fives = new byte[MIB];
      Arrays.fill(fives, (byte) 5);
      assertThat(contents(region)).isEqualTo(fives);
    }
  }

  @Test
  void cannotChangeItsSize() throws Exception {
    try (TestRegion region = TestRegion.local(10_000);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      assertThat(program.tell("open trunc " + device.path())).contains("Operation not permitted");
      program.ok("open rw " + device.path());
      assertThat(program.tell("truncate 9999")).contains("Operation not permitted");
      assertThat(program.tell("write 10000 1 1")).contains("File too large");
      assertThat(program.tell("write 9999 2 1")).contains("File too large");
      program.ok("open a " + device.path());
      assertThat(program.tell("write 0 1 1")).contains("File too large");
      assertThat(Files.size(path())).isEqualTo(10_000);
      assertThat(contents(region)).isEqualTo(new byte[10_000]);
    }
  }

  @Test
  void takesWhatToolsDoToFiles() throws Exception {
    Path plain = Files.write(dir.resolve("plain"), TestRegion.pattern(0, 10_000));
    try (TestRegion region = TestRegion.local(10_000);
        Device device = Fuse.attach(region, path())) {
      String file = device.path().toString();
      assertThat(Leaks.run("dd", "status=none", "conv=notrunc,fsync", "if=" + plain, "of=" + file))
          .isZero();
      assertThat(Leaks.run("cmp", plain.toString(), file)).isZero();
      assertThat(Leaks.run("cp", file, dir.resolve("copy").toString())).isZero();
      assertThat(dir.resolve("copy")).hasSameBinaryContentAs(plain);
      assertThat(Leaks.run("touch", "-d", "2001-02-03 04:05:06.5Z", file)).isZero();
      assertThat(Files.getLastModifiedTime(path()))
          .isEqualTo(FileTime.from(Instant.parse("2001-02-03T04:05:06.5Z")));
      assertThat(Leaks.run("chmod", "640", file)).isZero();
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path())))
          .isEqualTo("rw-r-----");
      assertThat(Leaks.run("truncate", "-s", "10000", file)).isZero();
      assertThat(Leaks.run("fallocate", "-l", "10000", file)).isZero();
      assertThat(Leaks.run("sh", "-c", "! fallocate -l 10001 '" + file + "' 2>/dev/null")).isZero();
      assertThat(Leaks.run("sh", "-c", "! fallocate -p -l 100 '" + file + "' 2>/dev/null"))
          .isZero();
      assertThat(Leaks.run("df", "--output=size", file)).isZero();
      assertThat(Leaks.run("sh", "-c", "flock '" + file + "' true")).isZero();
    }
  }

  @Test
  void writingChangesTheModificationTime() throws Exception {
    try (TestRegion region = TestRegion.local(100);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      Files.setLastModifiedTime(path(), FileTime.fromMillis(0));
      program.ok("open rw " + device.path());
      program.ok("write 0 1 1");
      assertThat(Files.getLastModifiedTime(path()).toMillis()).isPositive();
      Files.setLastModifiedTime(path(), FileTime.fromMillis(0));
      region.write(ByteBuffer.allocate(1), 0);
      assertThat(Files.getLastModifiedTime(path()).toMillis()).isPositive();
    }
  }

  @Test
  void aReadOnlyRegionIsAReadOnlyFile() throws Exception {
    try (TestRegion region = TestRegion.localReadOnly(MIB, 0);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      assertThat(program.tell("open rw " + device.path())).contains("Read-only file system");
      assertThat(program.tell("open trunc " + device.path())).contains("Read-only file system");
      program.ok("open r " + device.path());
      assertThat(program.ok("read 0 100")).isEqualTo(crc(TestRegion.pattern(0, 100)));
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path())))
          .isEqualTo("r--r--r--");
    }
    assertThat(path()).doesNotExist();
  }

  @Test
  void aMountPointThatWasThereStaysAndGivesItsModeAndOwner() throws Exception {
    Files.writeString(path(), "below");
    Files.setPosixFilePermissions(path(), PosixFilePermissions.fromString("rw-------"));
    try (TestRegion region = TestRegion.local(100);
        Device device = Fuse.attach(region, path())) {
      assertThat(Files.size(device.path())).isEqualTo(100);
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path())))
          .isEqualTo("rw-------");
    }
    assertThat(path()).hasContent("below");
  }

  @Test
  void aSymbolicLinkIsFollowed() throws Exception {
    Path target = Files.createFile(dir.resolve("target"));
    Files.createSymbolicLink(path(), target);
    try (TestRegion region = TestRegion.local(100);
        Device device = Fuse.attach(region, path())) {
      assertThat(Files.size(target)).isEqualTo(100);
      assertThat(Files.size(device.path())).isEqualTo(100);
    }
    assertThat(target).isEmptyFile();
  }

  @Test
  void refusesWhatCannotBeAMountPoint() throws Exception {
    try (TestRegion region = TestRegion.local(100)) {
      assertThatThrownBy(() -> Fuse.attach(region, dir))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("is a directory")
          .hasMessageContaining(dir + "/");
      assertThatThrownBy(() -> Fuse.attach(region, Path.of("/dev/null")))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("no regular file");
      assertThatThrownBy(() -> Fuse.attach(region, dir.resolve("a/b")))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("a/b");
      assertThat(region.frontends()).isEmpty();
    }
  }

  @Test
  void refusesAMountPointThatIsInUse() throws Exception {
    try (TestRegion region = TestRegion.local(100);
        Device device = Fuse.attach(region, path())) {
      assertThatThrownBy(() -> Fuse.attach(region, device.path()))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("something is mounted at");
      assertThat(Files.size(path())).isEqualTo(100);
    }
  }

  @Test
  void errorsReachTheProgramAndOnlyTheReadThatFailed() throws Exception {
    try (TestRegion region = TestRegion.remote(MIB);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      region.onFetch =
          chunk -> {
            throw new IOException("the remote is away");
          };
      assertThat(program.tell("read 0 100")).contains("Input/output error");
      region.onFetch = chunk -> {};
      assertThat(program.ok("read 0 100")).isEqualTo(crc(TestRegion.pattern(0, 100)));
    }
  }

  @Test
  void aFullDiskIsCalledThat() throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      region.onWrite =
          offset -> {
            throw new IOException("cannot write", new NoSpaceException("full"));
          };
      assertThat(program.tell("write 0 100 1")).contains("No space left on device");
      region.onWrite =
          offset -> {
            throw new IndexOutOfBoundsException("bug");
          };
      assertThat(program.tell("write 0 100 1")).contains("File too large");
      region.onWrite = offset -> {};
      program.ok("write 0 100 1");
    }
  }

  @Test
  void fsyncFlushesAndFailsWhenThatFails() throws Exception {
    AtomicInteger flushes = new AtomicInteger();
    try (TestRegion region = TestRegion.local(MIB);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      region.onFlush = nothing -> flushes.incrementAndGet();
      program.ok("open rw " + device.path());
      program.ok("write 0 100 1");
      program.ok("sync");
      assertThat(flushes).hasValue(1);
      region.onFlush =
          nothing -> {
            throw new IOException("the remote is away");
          };
      assertThat(program.tell("sync")).contains("Input/output error");
      region.onFlush = nothing -> flushes.incrementAndGet();
      program.ok("sync");
      program.ok("mapwrite 0 4096");
      program.ok("put 0 4096 1");
      program.ok("msync");
      assertThat(flushes).hasValue(3);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"sync", "dsync"})
  void aWriteToAFileThatIsOpenForSyncFlushesAndFailsWhenThatFails(String mode) throws Exception {
    AtomicInteger flushes = new AtomicInteger();
    try (TestRegion region = TestRegion.local(MIB);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      region.onFlush = nothing -> flushes.incrementAndGet();
      program.ok("open " + mode + " " + device.path());
      program.ok("write 0 100 1");
      assertThat(flushes).hasValue(1);
      region.onFlush =
          nothing -> {
            throw new IOException("the remote is away");
          };
      assertThat(program.tell("write 0 100 2")).contains("Input/output error");
      region.onFlush = nothing -> flushes.incrementAndGet();
      program.ok("write 0 100 3");
      assertThat(flushes).hasValue(2);
    }
  }

  @Test
  void whatItCannotDoIsRefusedAndTheFileGoesOnToWork() throws Exception {
    try (TestRegion region = TestRegion.remote(10_000);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      UserDefinedFileAttributeView extended =
          Files.getFileAttributeView(path(), UserDefinedFileAttributeView.class);
      assertThatThrownBy(() -> extended.write("name", ByteBuffer.allocate(1)))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("Operation not supported");
      assertThatThrownBy(extended::list).isInstanceOf(IOException.class);
      assertThat(Leaks.run("sh", "-c", "! lsattr '" + path() + "' 2>/dev/null")).isZero();
      int fd = FileCalls.open(path(), FileCalls.O_RDONLY, 0);
      try {
        // The kernel then takes the file for data without holes.
        assertThat(FileCalls.seek(fd, 5, FileCalls.SEEK_DATA)).isEqualTo(5);
        assertThat(FileCalls.seek(fd, 5, FileCalls.SEEK_HOLE)).isEqualTo(10_000);
        assertThat(FileCalls.seek(fd, 10_000, FileCalls.SEEK_HOLE)).isEqualTo(-Errno.ENXIO);
      } finally {
        FileCalls.close(fd);
      }
      assertThat(program.ok("read 0 10000")).isEqualTo(crc(TestRegion.pattern(0, 10_000)));
      program.ok("write 0 10000 1");
      program.ok("sync");
    }
  }

  @Test
  void aDirectRegionIsReadAndWrittenThrough() throws Exception {
    try (TestRegion region = TestRegion.direct(MIB);
        Device device = Fuse.attach(region, path());
        Program program = Program.start()) {
      program.ok("open rw " + device.path());
      program.ok("write 100 " + (MIB - 100) + " 1");
      byte[] expected = new byte[MIB];
      Arrays.fill(expected, 100, MIB, (byte) 1);
      assertThat(program.ok("read 0 " + MIB)).isEqualTo(crc(expected));
    }
  }

  @Test
  void thisJvmCanReadAndWriteItButNotMapIt() throws Exception {
    try (TestRegion region = TestRegion.remote(8 * MIB);
        Device device = Fuse.attach(region, path());
        FileChannel file =
            FileChannel.open(device.path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      assertThatThrownBy(() -> file.map(MapMode.READ_ONLY, 0, 4096))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("No such device");
      assertThatThrownBy(() -> file.map(MapMode.READ_WRITE, 0, 4096))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("No such device");

      Thread collector =
          Thread.ofPlatform()
              .start(() -> {
                while (!Thread.currentThread().isInterrupted()) {
                  System.gc();
                }
              });
      try {
        ByteBuffer buffer = ByteBuffer.allocate(10_000);
        for (int i = 0; i < 50; i++) {
          long offset = i * 160_000L;
          assertThat(file.read(buffer.clear(), offset)).isEqualTo(10_000);
          assertThat(buffer.array()).isEqualTo(TestRegion.pattern(offset, 10_000));
        }
        assertThat(file.write(ByteBuffer.wrap(new byte[] {1, 2, 3}), 5)).isEqualTo(3);
      } finally {
        collector.interrupt();
        collector.join();
      }
      assertThat(Arrays.copyOfRange(contents(region), 5, 8)).containsExactly(1, 2, 3);
    }
  }

  private static byte[] contents(TestRegion region) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate((int) region.size());
    region.read(bytes, 0);
    return bytes.array();
  }
}
