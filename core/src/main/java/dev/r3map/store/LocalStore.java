package dev.r3map.store;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.internal.NoSpace;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.Platform;
import dev.r3map.store.ChunkStore.LocalListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Opens the local side of a managed mount, and closes it in the reverse order. */
final class LocalStore implements AutoCloseable {
  private final LocalStorage storage;
  private final @Nullable Journal journal;
  private final ChunkStore store;

  LocalStore(LocalStorage storage, @Nullable Journal journal, ChunkStore store) {
    this.storage = storage;
    this.journal = journal;
    this.store = store;
  }

  static LocalStore open(
      Chunks chunks, MountOptions options, String identity, LocalListener listener)
      throws IOException {
    if (options.cache != null) {
      return openCache(chunks, options.cache, identity, listener);
    }
    if (options.local != null) {
      LocalStorage storage = new BackendStorage(options.local, chunks.size());
      return new LocalStore(storage, null, ChunkStore.over(chunks, storage, listener, false));
    }
    return openMemory(chunks, listener);
  }

  private static LocalStore openMemory(Chunks chunks, LocalListener listener) throws IOException {
    LocalStorage storage = Platform.current().memory(chunks.size());
    try {
      return new LocalStore(storage, null, ChunkStore.over(chunks, storage, listener, true));
    } catch (RuntimeException | Error e) {
      // No heap, perhaps, for what is to be known of so many blocks.
      try {
        storage.close();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private static LocalStore openCache(
      Chunks chunks, Path cache, String identity, LocalListener listener) throws IOException {
    Path journalPath = cache.resolveSibling(cache.getFileName() + ".journal");
    boolean hasCache = isThere(cache);
    boolean hasJournal = isThere(journalPath);
    if (hasCache && !hasJournal) {
      throw new PermanentIOException(
          "%s exists and is not a cache (there is no %s beside it): name another file, or remove it"
              .formatted(cache, journalPath.getFileName()));
    }
    // Lock and look before anything is changed.
    Journal.Opened opened = Journal.open(journalPath, chunks, identity);
    boolean knowsNothing = opened.state().present.cardinality() == 0;
    LocalStorage storage = null;
    boolean done = false;
    try {
      if (!hasCache) {
        if (!knowsNothing) {
          throw new PermanentIOException(
              "the journal %s is there but its cache %s is not: bring it back, or remove the journal"
                  .formatted(journalPath, cache));
        }
        // The journal comes first: who is killed here must not leave a file that is no cache.
        opened.journal().begin(opened.state(), () -> {});
      }
      storage = Platform.current().file(cache, chunks.size());
      opened.journal().begin(opened.state(), storage::force);
      ChunkStore store = ChunkStore.over(chunks, storage, listener, opened, !hasCache);
      done = true;
      return new LocalStore(storage, opened.journal(), store);
    } catch (IOException e) {
      throw NoSpace.in(e, "cache " + cache);
    } finally {
      if (!done) {
        Closing closing = new Closing().step(opened.journal()::close);
        if (storage != null) {
          closing.step(storage::close);
        }
        if (!hasCache && knowsNothing) {
          closing.step(() -> Files.deleteIfExists(cache));
          closing.step(() -> Files.deleteIfExists(journalPath));
        }
      }
    }
  }

  private static boolean isThere(Path file) throws IOException {
    return Files.exists(file) && Files.size(file) > 0;
  }

  ChunkStore store() {
    return store;
  }

  /** Makes what is there durable where it can be, and lets go. */
  @Override
  public void close() throws IOException {
    Closing closing = new Closing();
    if (journal != null) {
      closing.step(() -> commitAndSeal(journal)).step(journal::close);
    }
    closing.step(storage::close).end();
  }

  /** The seal says that everything is on the disk: not if it could not be brought there. */
  private void commitAndSeal(Journal remembers) throws IOException {
    store.commit();
    remembers.seal();
  }
}
