package dev.r3map.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChunkStoreTest {
  private static final Chunks CHUNKS = new Chunks(64L * Chunks.BLOCK, 16 * Chunks.BLOCK);

  @TempDir Path folder;
  private final RecordingStorage storage = new RecordingStorage(CHUNKS.size());
  private Journal journal;
  private ChunkStore store;

  @BeforeEach
  void open() throws IOException {
    Journal.Opened opened = Journal.open(folder.resolve("x.journal"), CHUNKS, "id");
    journal = opened.journal();
    journal.begin(opened.state(), () -> {});
    store = ChunkStore.over(CHUNKS, storage, chunk -> {}, opened, true);
  }

  @AfterEach
  void close() throws IOException {
    journal.close();
  }

  private void write(long block) throws IOException {
    store.write(ByteBuffer.allocate(Chunks.BLOCK), block * Chunks.BLOCK);
  }

  /** As a push of the first chunk does that ends well. */
  private BlockSet.Bits push() {
    return store.dirty().drain(0, 16);
  }

  @Test
  void whatIsDirtyAgainAfterItsPushIsForcedIfACommitCoversIt() throws IOException {
    write(0);
    store.commit();
    storage.calls.clear();
    BlockSet.Bits pushed = push();
    write(0);
    assertThat(store.clean(0, pushed, () -> false)).isTrue();
    store.forceClean();
    assertThat(storage.calls).containsExactly("force");
  }

  @Test
  void whatIsOnItsWayAgainIsForcedIfACommitCoversIt() throws IOException {
    write(0);
    store.commit();
    storage.calls.clear();
    assertThat(store.clean(0, push(), () -> true)).isFalse();
    store.forceClean();
    assertThat(storage.calls).containsExactly("force");
  }

  @Test
  void whatIsNotedAsCleanNeedNotBeForced() throws IOException {
    write(0);
    store.commit();
    storage.calls.clear();
    assertThat(store.clean(0, push(), () -> false)).isTrue();
    store.forceClean();
    assertThat(storage.calls).isEmpty();
  }

  @Test
  void withoutACommitNothingIsForced() throws IOException {
    write(0);
    BlockSet.Bits pushed = push();
    write(0);
    assertThat(store.clean(0, pushed, () -> false)).isTrue();
    store.forceClean();
    assertThat(storage.calls).isEmpty();
  }

  @Test
  void bytesThatTheJournalDidNotTakeAreClearedBeforeTheirBlocksBecomeZeros() throws IOException {
    byte[] bytes = new byte[CHUNKS.chunkSize()];
    Arrays.fill(bytes, (byte) 7);
    journal.close();
    assertThatThrownBy(() -> store.install(0, ByteBuffer.wrap(bytes)))
        .isInstanceOf(IOException.class);
    assertThatThrownBy(() -> store.install(0, ByteBuffer.allocate(bytes.length)))
        .isInstanceOf(IOException.class);
    assertThat(storage.calls).containsExactly("punch 0 " + bytes.length);
  }

  @Test
  void writesThatTheJournalDidNotTakeAreClearedBeforeTheirBlocksBecomeZeros() throws IOException {
    journal.close();
    assertThatThrownBy(() -> write(0)).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> store.installHole(0, Chunks.BLOCK)).isInstanceOf(IOException.class);
    assertThat(storage.calls).containsExactly("punch 0 " + Chunks.BLOCK);
  }
}
