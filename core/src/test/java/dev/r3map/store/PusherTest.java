package dev.r3map.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.PermanentIOException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class PusherTest {
  private static final Chunks CHUNKS = new Chunks(64L * Chunks.BLOCK, 16 * Chunks.BLOCK);

  @TempDir Path folder;
  private final ScriptedBackend remote = new ScriptedBackend((int) CHUNKS.size());
  private Journal journal;
  private ChunkStore store;
  private Pusher pusher;

  @BeforeEach
  void open() throws IOException {
    Journal.Opened opened = Journal.open(folder.resolve("x.journal"), CHUNKS, "id");
    journal = opened.journal();
    journal.begin(opened.state(), () -> {});
    RecordingStorage storage = new RecordingStorage(CHUNKS.size());
    store = ChunkStore.over(CHUNKS, storage, chunk -> {}, opened, true);
    BufferPool buffers = new BufferPool(CHUNKS.chunkSize(), 2);
    Fetcher fetcher = new Fetcher(remote, store, buffers, true);
    pusher = new Pusher(remote, store, fetcher, buffers, 1, 1, Duration.ofMillis(100));
  }

  @AfterEach
  void close() throws IOException {
    pusher.close();
    journal.close();
  }

  @Test
  void aSyncDoesNotEndWellBeforeTheJournalSaysWhatIsClean() throws IOException {
    store.write(ByteBuffer.allocate(Chunks.BLOCK), 0);
    journal.close();
    assertThatThrownBy(pusher::sync).hasMessageContaining("journal");
    assertThat(remote.syncs.get()).isGreaterThan(1);
    assertThatThrownBy(pusher::sync).hasMessageContaining("journal");
  }

  @Test
  void aChunkWhosePushFailedMeanwhileIsNotTakenForClean() throws IOException {
    store.write(ByteBuffer.allocate(Chunks.BLOCK), 0);
    remote.onWrite =
        (offset, length) -> {
          throw new PermanentIOException("refused");
        };
    BooleanSupplier pushedAgain = pusher.pushedAgain(0);
    assertThat(pushedAgain.getAsBoolean()).isFalse();
    assertThatThrownBy(pusher::sync).hasMessageContaining("refused");
    assertThat(pushedAgain.getAsBoolean()).isTrue();
  }
}
