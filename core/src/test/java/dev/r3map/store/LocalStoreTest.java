package dev.r3map.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalStoreTest {
  private static final Chunks CHUNKS = new Chunks(64L * Chunks.BLOCK, 16 * Chunks.BLOCK);

  @TempDir Path folder;

  @Test
  void whatDidNotReachTheDiskIsNotSealed() throws IOException {
    Path path = folder.resolve("x.journal");
    Journal.Opened opened = Journal.open(path, CHUNKS, "id", "boot 1", Long.MAX_VALUE / 4);
    opened.journal().begin(opened.state(), () -> {});
    RecordingStorage storage = new RecordingStorage(CHUNKS.size());
    ChunkStore store = ChunkStore.over(CHUNKS, storage, chunk -> {}, opened, true);
    LocalStore local = new LocalStore(storage, opened.journal(), store);
    store.write(ByteBuffer.allocate(Chunks.BLOCK), 0);
    storage.onForce =
        () -> {
          throw new IOException("a bad disk");
        };
    assertThatThrownBy(local::close).hasMessageContaining("a bad disk");
    assertThat(storage.calls).containsExactly("force", "close");
    Journal.Opened again = Journal.open(path, CHUNKS, "id", "boot 2", Long.MAX_VALUE / 4);
    try (Journal journal = again.journal()) {
      assertThat(again.state().present.cardinality()).isZero();
      assertThat(journal).isNotNull();
    }
  }
}
