package dev.r3map.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Backends;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileBackendTest {
  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = folder.resolve("film.mp4");
  }

  @Test
  void missingFileIsAnErrorThatSaysHowToHaveItMade() {
    assertThatThrownBy(() -> FileBackend.open(file))
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("no such file: " + file)
        .hasMessageContaining("create");
  }

  @Test
  void newFileIsSparseAndHasItsSize() throws Exception {
    long size = (3L << 30) + 5;
    try (Backend backend = FileBackend.open(file, BackendOptions.DEFAULT.withCreate(size))) {
      assertThat(backend.size()).isEqualTo(size);
    }
    assertThat(Files.size(file)).isEqualTo(size);
    assertThat(Long.parseLong(Shell.run("stat", "-c", "%b", file.toString()))).isZero();
  }

  @Test
  void createOpensAFileThatIsThereIfItHasThatSize() throws IOException {
    Files.writeString(file, "abc");
    try (Backend backend = FileBackend.open(file, BackendOptions.DEFAULT.withCreate(3))) {
      assertThat(read(backend, 0, 3)).asString().isEqualTo("abc");
    }
    assertThatThrownBy(() -> FileBackend.open(file, BackendOptions.DEFAULT.withCreate(4)))
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("has 3 bytes, not 4");
    assertThat(file).hasContent("abc");
  }

  @Test
  void newFileInAFolderThatDoesNotExistIsAClearError() {
    Path lost = folder.resolve("nowhere/film.mp4");
    assertThatThrownBy(() -> FileBackend.open(lost, BackendOptions.DEFAULT.withCreate(1)))
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("no such folder");
  }

  @Test
  void sizeTheFileSystemCannotHaveLeavesNoFile() {
    assertThatThrownBy(
            () -> FileBackend.open(file, BackendOptions.DEFAULT.withCreate(Long.MAX_VALUE)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("cannot create " + file);
    assertThat(file).doesNotExist();
  }

  @Test
  void directoriesAndFifosAreRefusedAtOnce() throws Exception {
    assertThatThrownBy(() -> FileBackend.open(folder))
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("is a directory");
    Path fifo = folder.resolve("fifo");
    Shell.run("mkfifo", fifo.toString());
    assertThatThrownBy(() -> FileBackend.open(fifo))
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("special file");
  }

  @Test
  void fileOfAReadOnlyMountIsOpenedForReading() throws Exception {
    assertThat(Shell.isRoot()).as("mounting needs root").isTrue();
    Shell.run("mount", "-t", "tmpfs", "none", folder.toString());
    try {
      Files.writeString(file, "abc");
      Shell.run("mount", "-o", "remount,ro", folder.toString());
      assertReadOnly(file);
    } finally {
      Shell.run("umount", folder.toString());
    }
  }

  @Test
  void readOnlyBlockDeviceIsOpenedForReading() throws Exception {
    assertThat(Shell.isRoot()).as("loop devices need root").isTrue();
    Files.writeString(file, "abc" + "d".repeat(509));
    String device = Shell.run("losetup", "-f", "--show", "-r", file.toString());
    try {
      assertReadOnly(Path.of(device));
    } finally {
      Shell.run("losetup", "-d", device);
    }
  }

  private static void assertReadOnly(Path path) throws IOException {
    try (Backend backend = FileBackend.open(path)) {
      assertThat(backend.geometry().readOnly()).isTrue();
      assertThat(read(backend, 0, 3)).asString().isEqualTo("abc");
      assertThatThrownBy(() -> backend.write(ByteBuffer.allocate(1), 0))
          .isInstanceOf(ReadOnlyException.class)
          .hasMessageContaining(path.toString());
    }
  }

  @Test
  void fileThatWasCutShortIsReportedWithBothSizes() throws IOException {
    Files.write(file, new byte[10_000]);
    try (Backend backend = FileBackend.open(file)) {
      resize(4000);

      assertThat(read(backend, 0, 4000)).hasSize(4000);
      assertThatThrownBy(() -> read(backend, 3999, 2)).satisfies(FileBackendTest::namesBothSizes);
      assertThatThrownBy(() -> backend.write(ByteBuffer.allocate(1), 9000))
          .satisfies(FileBackendTest::namesBothSizes);
      assertThatThrownBy(() -> backend.zero(0, 10)).satisfies(FileBackendTest::namesBothSizes);
      assertThat(Files.size(file)).isEqualTo(4000);
    }
  }

  private static void namesBothSizes(Throwable e) {
    assertThat(e)
        .isInstanceOf(ResourceChangedException.class)
        .hasMessageContaining("has 4000 bytes now, but had 10000");
  }

  @Test
  void interruptedCallerReadsAndStaysInterrupted() throws IOException {
    Files.writeString(file, "abc");
    try (Backend backend = FileBackend.open(file)) {
      Thread.currentThread().interrupt();

      assertThat(read(backend, 0, 3)).asString().isEqualTo("abc");
      backend.sync();

      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void fileIsNotMistakenForAnotherThatTookItsPlaceWhenItIsOpenedAgain() throws Exception {
    Files.writeString(file, "abc");
    Files.writeString(folder.resolve("other"), "xyz");
    try (Backend backend = FileBackend.open(file)) {
      Files.move(folder.resolve("other"), file, StandardCopyOption.REPLACE_EXISTING);
      assertThat(read(backend, 0, 3)).asString().isEqualTo("abc");

      interruptUntilReadsFail(backend);

      assertThatThrownBy(() -> read(backend, 0, 3))
          .isInstanceOf(ResourceChangedException.class)
          .hasMessageContaining("replaced");
    }
  }

  /** Interrupts a reader in the middle of calls until one of them closed the channel. */
  private static void interruptUntilReadsFail(Backend backend) throws InterruptedException {
    Thread reader =
        Thread.ofPlatform()
            .start(() -> {
              try {
                while (true) {
                  var _ = read(backend, 0, 3);
                }
              } catch (IOException e) {
                // What this waits for.
              }
            });
    while (reader.isAlive()) {
      reader.interrupt();
      reader.join(1);
    }
  }

  @Test
  void fullDiskIsNoSpaceAndNamesTheFile() throws Exception {
    assertThat(Shell.isRoot()).as("mounting needs root").isTrue();
    Shell.run("mount", "-t", "tmpfs", "-o", "size=1m", "none", folder.toString());
    try (Backend backend = FileBackend.open(file, BackendOptions.DEFAULT.withCreate(8 << 20))) {
      assertThatThrownBy(() -> backend.write(ByteBuffer.allocate(4 << 20), 0))
          .isInstanceOf(NoSpaceException.class)
          .hasMessageContaining("cannot write " + file)
          .hasMessageContaining("offset=0, length=4194304");
      assertThat(backend.size()).isEqualTo(8 << 20);
    } finally {
      Shell.run("umount", folder.toString());
    }
  }

  @Test
  void syncThatLostBytesFailsForEver() throws Exception {
    assertThat(Shell.isRoot()).as("loop devices need root").isTrue();
    Shell.run("mount", "-t", "tmpfs", "-o", "size=1m", "none", folder.toString());
    try {
      Shell.run("truncate", "-s", "8M", file.toString());
      String device = Shell.run("losetup", "-f", "--show", file.toString());
      // The device takes what its file has no room for, and finds out when it writes back.
      try (Backend backend = FileBackend.open(Path.of(device))) {
        byte[] bytes = new byte[4 << 20];
        Arrays.fill(bytes, (byte) 1);
        backend.write(ByteBuffer.wrap(bytes), 0);
        assertThatThrownBy(backend::sync).isInstanceOf(IOException.class);

        assertThatThrownBy(backend::sync)
            .isInstanceOf(PermanentIOException.class)
            .hasMessageContaining(device)
            .hasMessageContaining("did not reach the disk");
      } finally {
        Shell.run("losetup", "-d", device);
      }
    } finally {
      Shell.run("umount", folder.toString());
    }
  }

  @Test
  void identityTellsAFileFromItsReplacementAndNotFromItsNextVersion() throws IOException {
    Files.writeString(file, "abc");
    Files.writeString(folder.resolve("other"), "xyz");
    Optional<String> before = identity();

    Files.writeString(file, "abd");
    assertThat(identity()).isPresent().isEqualTo(before);
    Files.writeString(file, "abcd");
    assertThat(identity()).isPresent().isNotEqualTo(before);
    Files.move(folder.resolve("other"), file, StandardCopyOption.REPLACE_EXISTING);
    assertThat(identity()).isPresent().isNotEqualTo(before);
  }

  @Test
  void filesAreNamedByPathOrUri() throws IOException {
    Path odd = folder.resolve("a b%20?#c");
    Files.writeString(odd, "abc");
    URI uri = Backends.parse(odd.toString());
    assertThat(uri.getScheme()).isEqualTo("file");
    try (Backend backend = Backends.open(uri)) {
      assertThat(backend).isInstanceOf(FileBackend.class).hasToString(odd.toString());
    }
  }

  @Test
  void uriThatIsNotOfAFileIsRefusedWithoutRepeatingIt() {
    for (String uri : new String[] {"file:film.mp4", "file:///a?b=c", "file://u:secret@host/a"}) {
      assertThatThrownBy(() -> Backends.open(URI.create(uri)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("expected file:///")
          .hasMessageNotContaining("secret");
    }
  }

  private Optional<String> identity() throws IOException {
    try (Backend backend = FileBackend.open(file)) {
      return backend.identity();
    }
  }

  private void resize(long size) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(size);
    }
  }

  private static byte[] read(Backend backend, long offset, int length) throws IOException {
    byte[] bytes = new byte[length];
    backend.read(ByteBuffer.wrap(bytes), offset);
    return bytes;
  }
}
