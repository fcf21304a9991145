package dev.r3map;

import dev.r3map.backend.Backend;
import dev.r3map.store.ManagedRegion;
import dev.r3map.store.MountOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.LongUnaryOperator;

/**
 * Opens a region with a local store: what is read is kept, the rest is pulled in the background,
 * and what is written is pushed in the background.
 *
 * <pre>{@code
 * try (Backend remote = Backends.open(URI.create("grpc://host:1337"));
 *     Region region = ManagedMount.on(remote).cache(Path.of("film.cache")).open()) {
 *   ...
 * }
 * }</pre>
 *
 * <p>Not thread-safe; the region that it opens is.
 */
public final class ManagedMount {
  private final Backend remote;
  private final MountOptions options = new MountOptions();

  private ManagedMount(Backend remote) {
    this.remote = remote;
  }

  /** Begins with the defaults. The caller keeps owning {@code remote} and closes it last. */
  public static ManagedMount on(Backend remote) {
    return new ManagedMount(remote);
  }

  /**
   * Unit of transfer in bytes: a power of two from 4 KiB to 32 MiB. Default: what the backend
   * prefers, else 256 KiB, as far as its limits allow.
   */
  public ManagedMount chunkSize(int bytes) {
    options.chunkSize = bytes;
    return this;
  }

  /**
   * How many chunks the background pull has in flight; 0 for no background pull. Default: as many
   * as raise the throughput.
   */
  public ManagedMount pullWorkers(int workers) {
    options.pullWorkers = requireNatural(workers, "pull workers");
    return this;
  }

  /**
   * In which order to pull: chunk offset to priority, higher first, ties by offset. Default: by
   * offset, going on from where a reader last had to wait.
   */
  public ManagedMount pullPriority(LongUnaryOperator priorityOfOffset) {
    options.pullPriority = priorityOfOffset;
    return this;
  }

  /** Lets {@link #open} return only when this part (0 to 1) is local. Default: 0. */
  public ManagedMount pullFirst(double fraction) {
    if (!(fraction >= 0 && fraction <= 1)) {
      throw new IllegalArgumentException(
          "pull first takes a fraction from 0 to 1, not " + fraction);
    }
    options.pullFirst = fraction;
    return this;
  }

  /** How many chunks are pushed at once. Default: 16. */
  public ManagedMount pushWorkers(int workers) {
    options.pushWorkers = requireNatural(workers, "push workers");
    return this;
  }

  /**
   * How often dirty chunks are pushed, besides at each sync. Zero: never, also not at a sync; what
   * is written stays local. Default: 20 s.
   */
  public ManagedMount pushInterval(Duration interval) {
    if (interval.isNegative()) {
      throw new IllegalArgumentException("negative push interval: " + interval);
    }
    options.pushInterval = interval;
    return this;
  }

  /**
   * How long a read waits for bytes that are not local, and a sync or a close for the remote to
   * take the next chunk, before it fails; the remote's own sync may take twice as long. Default: 30
   * s.
   */
  public ManagedMount ioTimeout(Duration timeout) {
    if (timeout.isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException("the io timeout must be positive, not " + timeout);
    }
    options.ioTimeout = timeout;
    return this;
  }

  /** What a flush of a frontend waits for. Default: {@link Durability#REMOTE}. */
  public ManagedMount durability(Durability durability) {
    options.durability = durability;
    return this;
  }

  /**
   * Keeps the local bytes in this file, and their state in a journal beside it ({@code
   * <file>.journal}), so that they survive a crash and a restart. Default: memory.
   */
  public ManagedMount cache(Path file) {
    options.cache = file;
    return this;
  }

  /**
   * Keeps the local bytes in a backend of the caller's, which is closed by the caller and holds no
   * state of use afterwards.
   */
  public ManagedMount local(Backend local) {
    options.local = local;
    return this;
  }

  /** Refuses writes, which lets frontends go faster. Default: as the backend is. */
  public ManagedMount readOnly(boolean readOnly) {
    options.readOnly = readOnly;
    return this;
  }

  /**
   * Called before {@link Region#sync} pushes, by the syncing thread: flush what is above. A {@link
   * Region#close} that pushes is a sync, too; it calls this while the frontends are still open.
   */
  public ManagedMount onBeforeSync(Runnable hook) {
    options.onBeforeSync = hook;
    return this;
  }

  /**
   * Called after {@link Region#sync}, or the push of {@link Region#close}, with the offsets of the
   * chunks that were pushed; not if that failed.
   */
  public ManagedMount onAfterSync(Consumer<long[]> hook) {
    options.onAfterSync = hook;
    return this;
  }

  /** Called when {@link Region#close} begins, before anything is closed. */
  public ManagedMount onBeforeClose(Runnable hook) {
    options.onBeforeClose = hook;
    return this;
  }

  /**
   * Called once for each chunk that is or becomes local, with its offset, by the thread that made
   * it so: must not block.
   */
  public ManagedMount onChunkLocal(LongConsumer hook) {
    options.onChunkLocal = hook;
    return this;
  }

  /**
   * Opens the region; the background pull has begun when it returns.
   *
   * @throws IllegalArgumentException if options contradict each other or the resource
   * @throws dev.r3map.backend.ResourceChangedException if the cache belongs to another version of
   *     the resource
   * @throws IOException if the resource or the local store cannot be used
   */
  public Region open() throws IOException {
    return ManagedRegion.open(remote, options);
  }

  private static int requireNatural(int value, String what) {
    if (value < 0) {
      throw new IllegalArgumentException("negative number of " + what + ": " + value);
    }
    return value;
  }
}
