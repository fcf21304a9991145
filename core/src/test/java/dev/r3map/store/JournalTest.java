package dev.r3map.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.store.JournalFormat.Type;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class JournalTest {
  private static final Chunks CHUNKS = new Chunks(1000L * Chunks.BLOCK, 64 << 10);

  @TempDir Path folder;
  private Path path = Path.of("");

  @BeforeEach
  void setUp() {
    path = folder.resolve("x.journal");
  }

  private Journal.Opened open(String boot) throws IOException {
    Journal.Opened opened = Journal.open(path, CHUNKS, "id", boot, Long.MAX_VALUE / 4);
    opened.journal().begin(opened.state(), () -> {});
    return opened;
  }

  /** Room that is reserved is zeros, and no record ends with a zero byte here. */
  private int endOfRecords() throws IOException {
    byte[] all = Files.readAllBytes(path);
    int end = all.length;
    while (all[end - 1] == 0) {
      end--;
    }
    return end;
  }

  @Test
  void remembersEveryStateAcrossAKill() throws IOException {
    try (Journal journal = open("boot").journal()) {
      journal.append(Type.PRESENT, 0, 10);
      journal.append(Type.ZERO, 10, 20);
      journal.append(Type.DIRTY, 5, 12);
      journal.append(Type.CLEAN, 5, 6);
    }
    Journal.Opened again = open("boot");
    try (Journal journal = again.journal()) {
      assertThat(journal.path()).isEqualTo(path);
      assertThat(again.state().present.cardinality()).isEqualTo(20);
      assertThat(again.state().zeros.nextSet(0, 1000)).isEqualTo(12);
      assertThat(again.state().dirty.nextSet(0, 1000)).isEqualTo(6);
      assertThat(again.state().dirty.cardinality()).isEqualTo(6);
    }
  }

  @Test
  void ignoresWhatACrashToreOff() throws IOException {
    try (Journal journal = open("boot").journal()) {
      journal.append(Type.PRESENT, 0, 10);
      journal.append(Type.PRESENT, 10, 20);
    }
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      int last = endOfRecords() - 1;
      file.seek(last);
      int torn = file.read() ^ 1;
      file.seek(last);
      file.write(torn);
    }
    Journal.Opened again = open("boot");
    try (Journal journal = again.journal()) {
      assertThat(again.state().present.cardinality()).isEqualTo(10);
      journal.append(Type.DIRTY, 30, 31);
    }
    try (Journal journal = open("boot").journal()) {
      assertThat(journal.isLong()).isFalse();
    }
  }

  @Test
  void ignoresBytesThatAreNoRecordOfItsOwn() throws IOException {
    try (Journal journal = open("boot").journal()) {
      journal.append(Type.PRESENT, 0, 10);
    }
    byte[] all = Files.readAllBytes(path);
    int end = endOfRecords();
    byte[] record = java.util.Arrays.copyOfRange(all, end - 24, end);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.seek(end);
      file.write(record); // a sound record, but of another place
    }
    Journal.Opened again = open("boot");
    try (Journal journal = again.journal()) {
      assertThat(again.state().records).isEqualTo(2);
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void afterACrashOfTheHostOnlyCommittedDirtyBlocksAreKept() throws IOException {
    try (Journal journal = open("boot 1").journal()) {
      journal.append(Type.PRESENT, 0, 10);
      journal.append(Type.DIRTY, 3, 5);
      journal.commit(() -> {});
      journal.append(Type.DIRTY, 7, 8);
      journal.append(Type.PRESENT, 20, 30);
    }
    Journal.Opened again = open("boot 2");
    try (Journal journal = again.journal()) {
      assertThat(again.state().dirty.nextSet(0, 1000)).isEqualTo(3);
      assertThat(again.state().dirty.cardinality()).isEqualTo(2);
      assertThat(again.state().present.cardinality()).isEqualTo(2);
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void afterACrashOfTheHostABlockThatWasPushedSinceItsCommitIsForgotten() throws IOException {
    try (Journal journal = open("boot 1").journal()) {
      journal.append(Type.DIRTY, 3, 5);
      journal.commit(() -> {});
      journal.append(Type.CLEAN, 3, 4);
      journal.append(Type.DIRTY, 3, 4);
    }
    Journal.Opened again = open("boot 2");
    try (Journal journal = again.journal()) {
      assertThat(again.state().present.nextSet(0, 1000)).isEqualTo(4);
      assertThat(again.state().present.cardinality()).isEqualTo(1);
      assertThat(again.state().dirty.get(4)).isTrue();
      assertThat(again.state().dirty.cardinality()).isEqualTo(1);
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void afterACrashOfTheHostABlockThatWasCommittedAfterItsPushIsKept() throws IOException {
    try (Journal journal = open("boot 1").journal()) {
      journal.append(Type.DIRTY, 3, 4);
      journal.commit(() -> journal.append(Type.CLEAN, 3, 4));
      journal.append(Type.DIRTY, 3, 4);
      journal.commit(() -> {});
    }
    Journal.Opened again = open("boot 2");
    try (Journal journal = again.journal()) {
      assertThat(again.state().dirty.get(3)).isTrue();
      assertThat(again.state().present.get(3)).isTrue();
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void afterACrashOfTheHostAJournalThatWasClosedInOrderIsKept() throws IOException {
    try (Journal journal = open("boot 1").journal()) {
      journal.append(Type.PRESENT, 0, 10);
      journal.commit(() -> {});
      journal.seal();
    }
    Journal.Opened again = open("boot 2");
    try (Journal journal = again.journal()) {
      assertThat(again.state().present.cardinality()).isEqualTo(10);
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void aCommitCoversOnlyWhatWasRecordedBeforeItsDataWasForced() throws IOException {
    try (Journal journal = open("boot 1").journal()) {
      journal.append(Type.DIRTY, 1, 2);
      journal.commit(() -> journal.append(Type.DIRTY, 8, 9));
    }
    Journal.Opened again = open("boot 2");
    try (Journal journal = again.journal()) {
      assertThat(again.state().dirty.cardinality()).isEqualTo(1);
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void aCommitThatEndsLateTakesNothingBackFromOneThatBeganAfterIt() throws IOException {
    try (Journal journal = open("boot 1").journal()) {
      journal.commit(() -> {
        journal.append(Type.DIRTY, 8, 9);
        journal.commit(() -> {});
      });
    }
    Journal.Opened again = open("boot 2");
    try (Journal journal = again.journal()) {
      assertThat(again.state().dirty.get(8)).isTrue();
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void aCommitDuringWhichTheFileIsWrittenAnewCoversNothingThatComesLater() throws IOException {
    Journal.Opened opened = Journal.open(path, CHUNKS, "id", "boot 1", 10);
    opened.journal().begin(opened.state(), () -> {});
    try (Journal journal = opened.journal()) {
      for (int i = 0; i < 50; i++) {
        journal.append(Type.DIRTY, 0, 1);
      }
      journal.commit(() -> journal.commit(() -> {}));
      assertThat(journal.isLong()).isFalse();
      journal.append(Type.DIRTY, 8, 9);
    }
    Journal.Opened again = open("boot 2");
    try (Journal journal = again.journal()) {
      assertThat(again.state().dirty.get(0)).isTrue();
      assertThat(again.state().dirty.get(8)).isFalse();
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void writesItselfAnewWhenLong() throws IOException {
    Journal.Opened opened = Journal.open(path, CHUNKS, "id", "boot", 100);
    opened.journal().begin(opened.state(), () -> {});
    try (Journal journal = opened.journal()) {
      for (int i = 0; i < 1000; i++) {
        journal.append(Type.DIRTY, i % 50, i % 50 + 1);
      }
      assertThat(journal.isLong()).isTrue();
      int before = endOfRecords();
      journal.commit(() -> {});
      assertThat(endOfRecords()).isLessThan(before / 5);
      journal.append(Type.DIRTY, 500, 501);
    }
    Journal.Opened again = open("boot");
    try (Journal journal = again.journal()) {
      assertThat(again.state().dirty.cardinality()).isEqualTo(51);
      assertThat(journal).isNotNull();
    }
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactly(path);
    }
  }

  @Test
  void whenThereIsNoRoomToWriteItselfAnewItGoesOnAndTriesAgainLater() throws IOException {
    // Given that the new file cannot be made, in the words of a full disk.
    Path full = Files.createDirectory(folder.resolve("no space left"));
    path = full.resolve("x.journal");
    Journal.Opened opened = Journal.open(path, CHUNKS, "id", "boot", 10);
    opened.journal().begin(opened.state(), () -> {});
    Path inTheWay = Files.createDirectories(full.resolve("x.journal.new/something")).getParent();
    try (Journal journal = opened.journal()) {
      for (int i = 0; i < 50; i++) {
        journal.append(Type.DIRTY, i, i + 1);
      }
      journal.commit(() -> {});
      assertThat(journal.isLong()).isFalse();

      Files.delete(inTheWay.resolve("something"));
      Files.delete(inTheWay);
      int before = endOfRecords();
      for (int i = 50; i < 110; i++) {
        journal.append(Type.DIRTY, i, i + 1);
      }
      assertThat(journal.isLong()).isTrue();
      journal.shorten(() -> {});
      assertThat(endOfRecords()).isLessThan(before / 5);
    }
    Journal.Opened again = open("boot");
    try (Journal journal = again.journal()) {
      assertThat(again.state().dirty.cardinality()).isEqualTo(110);
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void writesItselfAnewOnAThreadThatIsInterruptedAndLosesNothing() throws IOException {
    Journal.Opened opened = Journal.open(path, CHUNKS, "id", "boot", 10);
    opened.journal().begin(opened.state(), () -> {});
    try (Journal journal = opened.journal()) {
      for (int i = 0; i < 50; i++) {
        journal.append(Type.DIRTY, 0, 1);
      }
      Thread.currentThread().interrupt();
      journal.commit(() -> {});
      assertThat(Thread.interrupted()).isTrue();
      assertThat(journal.isLong()).isFalse();
      journal.append(Type.DIRTY, 7, 8);
    }
    Journal.Opened again = open("boot");
    try (Journal journal = again.journal()) {
      assertThat(again.state().dirty.get(7)).isTrue();
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void onceItCouldNotBeForcedNoCommitSucceeds() throws IOException {
    // Given a file that cannot be forced, and a new one in its place that can.
    Files.createSymbolicLink(path, Path.of("/dev/null"));
    Journal.Opened opened = Journal.open(path, CHUNKS, "id");
    try (Journal journal = opened.journal()) {
      assertThatThrownBy(() -> journal.commit(() -> {})).isInstanceOf(IOException.class);
      assertThatThrownBy(() -> journal.begin(opened.state(), () -> {}))
          .hasMessageContaining("lost records");
      assertThat(path).isRegularFile();
      assertThatThrownBy(() -> journal.commit(() -> {})).hasMessageContaining("lost records");
    }
  }

  @Test
  void refusesAResourceThatChanged() throws IOException {
    open("boot").journal().close();
    assertThatThrownBy(() -> Journal.open(path, CHUNKS, "other"))
        .isInstanceOf(ResourceChangedException.class)
        .hasMessageContaining("'id'")
        .hasMessageContaining("'other'");
    Chunks larger = new Chunks(1001L * Chunks.BLOCK, 64 << 10);
    assertThatThrownBy(() -> Journal.open(path, larger, "id"))
        .isInstanceOf(ResourceChangedException.class);
  }

  @Test
  void refusesASecondUser() throws IOException {
    try (Journal journal = open("boot").journal()) {
      assertThatThrownBy(() -> Journal.open(path, CHUNKS, "id"))
          .isInstanceOf(PermanentIOException.class)
          .hasMessageContaining("in use");
      assertThat(journal).isNotNull();
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void refusingASecondUserOfThisProcessKeepsThoseOfOthersOut() throws IOException {
    try (Journal journal = open("boot").journal()) {
      assertThatThrownBy(() -> Journal.open(path, CHUNKS, "id")).hasMessageContaining("in use");
      // proc_locks(5): ... MAJOR:MINOR:INODE START END
      assertThat(Files.readString(Path.of("/proc/locks")))
          .contains(":" + Files.getAttribute(path, "unix:ino") + " 0 EOF");
      assertThat(journal).isNotNull();
    }
  }

  @Test
  void refusesASecondUserAlsoWhileItIsWrittenAnew() throws Exception {
    Journal.Opened opened = open("boot");
    try (Journal journal = opened.journal()) {
      AtomicInteger refused = new AtomicInteger();
      FutureTask<Boolean> second =
          new FutureTask<>(() -> {
            while (refused.get() < 20_000) {
              try {
                Journal.lockedFile(path).close();
                return true;
              } catch (PermanentIOException e) {
                refused.incrementAndGet();
              }
            }
            return false;
          });
      Thread.ofPlatform().start(second);
      while (!second.isDone()) {
        journal.begin(opened.state(), () -> {});
      }
      assertThat(second.get()).isFalse();
    }
  }

  @Test
  void refusesWhatIsNotAJournalAndSaysWhatToDo() throws IOException {
    for (byte[] content :
        new byte[][] {"hello".getBytes(java.nio.charset.StandardCharsets.UTF_8), new byte[100]}) {
      Files.write(path, content);
      assertThatThrownBy(() -> Journal.open(path, CHUNKS, "id"))
          .isInstanceOf(PermanentIOException.class)
          .hasMessageContaining("Remove the cache");
      assertThat(Files.readAllBytes(path)).isEqualTo(content);
    }
  }

  @Test
  void everyFlippedBitOfTheHeaderIsNoticed() throws IOException {
    open("boot").journal().close();
    byte[] good = Files.readAllBytes(path);
    int header = endOfRecords() - 24; // one commit record follows
    for (int i = 0; i < header; i++) {
      byte[] bad = good.clone();
      bad[i] ^= 0x10;
      Files.write(path, bad);
      assertThatThrownBy(() -> Journal.open(path, CHUNKS, "id"))
          .as("byte %d", i)
          .isInstanceOf(PermanentIOException.class);
    }
  }
}
