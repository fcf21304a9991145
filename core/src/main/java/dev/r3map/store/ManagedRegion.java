package dev.r3map.store;

import dev.r3map.Durability;
import dev.r3map.Progress;
import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.Ranges;
import dev.r3map.internal.Gate;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeoutException;

/**
 * A region with a local store. Puts the store, the fetcher, the puller and the pusher together, and
 * owns them and their threads until {@link #close}; calls in flight are waited for.
 */
public final class ManagedRegion extends OpenRegion {
  private static final System.Logger LOG = System.getLogger(ManagedRegion.class.getName());

  /** Present, zeros, dirty, recorded as dirty. */
  private static final long BITS_PER_BLOCK = 4;

  private static final int DEFAULT_CHUNK = 256 << 10;

  /** What the background pull may have in flight: enough for 1 GB/s at a round trip of 60 ms. */
  private static final int TRANSFER_BYTES = 64 << 20;

  private static final int MOST_WORKERS = 256;
  private static final int LEAST_WORKERS = 4;

  /** Buffers beyond those of the background, so that a reader's fetch need not queue for one. */
  private static final int READER_BUFFERS = 32;

  private final MountOptions options;
  private final Chunks chunks;
  private final LocalStore local;
  private final ChunkStore store;
  private final Fetcher fetcher;

  /** For chunks that the remote takes only as a whole: goes on when readers must end. */
  private final Fetcher pushFetcher;

  private final PullOrder order;
  private final Puller puller;
  private final Pusher pusher;
  private final LocalWaiters waiters = new LocalWaiters();

  /** Opens a region; see {@link dev.r3map.ManagedMount#open}. */
  public static ManagedRegion open(Backend remote, MountOptions mountOptions) throws IOException {
    MountOptions options = new MountOptions(mountOptions);
    if (options.durability == Durability.LOCAL && options.cache == null) {
      throw new IllegalArgumentException("local durability needs a cache file");
    }
    if (options.cache != null && options.local != null) {
      throw new IllegalArgumentException("a mount has one local store: a cache file or a backend");
    }
    Retry retry = new Retry(options.ioTimeout, () -> false);
    ManagedRegion region =
        new ManagedRegion(remote, Remote.describe(remote, options.ioTimeout, retry), options);
    try {
      region.start();
      return region;
    } catch (IOException | RuntimeException | Error e) {
      try {
        region.abandon();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private ManagedRegion(Backend remote, Remote described, MountOptions options) throws IOException {
    super(
        remote,
        described.size(),
        options.readOnly || (described.geometry().readOnly() && options.pushes()),
        new Gate());
    this.options = options;
    Geometry geometry = described.geometry();
    chunks = new Chunks(described.size(), chunkSize(geometry, options));
    requireHeapFor(remote, chunks);
    order = new PullOrder(chunks, options.pullPriority);
    local = LocalStore.open(chunks, options, described.identity(), this::becameLocal);
    store = local.store();
    int pulling = options.pullWorkers;
    if (pulling == MountOptions.AUTOMATIC) {
      // What a client of a remote receives counts as direct memory, of which there is as much as
      // there may be heap.
      long bytes = Math.min(TRANSFER_BYTES, Runtime.getRuntime().maxMemory() / 4);
      pulling = Math.clamp(bytes / chunks.chunkSize(), LEAST_WORKERS, MOST_WORKERS);
    }
    BufferPool buffers =
        new BufferPool(chunks.chunkSize(), pulling + options.pushWorkers + READER_BUFFERS);
    boolean readsBlocks = geometry.requiredChunk() <= Chunks.BLOCK;
    fetcher = new Fetcher(remote, store, buffers, readsBlocks);
    pushFetcher = new Fetcher(remote, store, buffers, readsBlocks);
    puller = new Puller(remote, store, fetcher, order, pulling, options.ioTimeout);
    pusher =
        new Pusher(
            remote,
            store,
            pushFetcher,
            buffers,
            Math.max(1, options.pushWorkers),
            geometry.requiredChunk(),
            options.ioTimeout);
  }

  /** A size that a server made up must not take the heap of everybody else. */
  private static void requireHeapFor(Backend remote, Chunks chunks) throws IOException {
    long needed = BITS_PER_BLOCK * (chunks.blocks() / Byte.SIZE);
    long heap = Runtime.getRuntime().maxMemory();
    if (needed > heap / 2) {
      throw new PermanentIOException(
          ("cannot mount %s: to keep track of its %d bytes takes %d MiB of heap, and all there is"
                  + " are %d MiB. Mount it directly, or give the JVM more (-Xmx)")
              .formatted(remote, chunks.size(), needed >> 20, heap >> 20));
    }
  }

  private static int chunkSize(Geometry geometry, MountOptions options) {
    int size = options.chunkSize != 0 ? options.chunkSize : defaultChunk(geometry);
    if (size % geometry.requiredChunk() != 0) {
      throw new IllegalArgumentException(
          "the chunk size %d is not a multiple of the %d that the resource requires"
              .formatted(size, geometry.requiredChunk()));
    }
    if (size > geometry.maxTransfer()) {
      throw new IllegalArgumentException(
          "the chunk size %d is more than the resource transfers at once, %d"
              .formatted(size, geometry.maxTransfer()));
    }
    return size;
  }

  /** What the resource prefers, or else the usual, as far as its limits allow. */
  private static int defaultChunk(Geometry geometry) {
    int preferred = geometry.preferredChunk();
    boolean usable =
        preferred >= Chunks.MIN_CHUNK
            && preferred <= Chunks.MAX_CHUNK
            && Integer.bitCount(preferred) == 1;
    int most = Integer.highestOneBit(geometry.maxTransfer());
    int least = Math.max(geometry.requiredChunk(), Chunks.MIN_CHUNK);
    return Math.max(least, Math.min(most, usable ? preferred : DEFAULT_CHUNK));
  }

  private void start() throws IOException {
    store.announceAll();
    puller.start();
    if (pushes()) {
      pusher.start(options.pushInterval);
    }
    if (options.pullFirst > 0) {
      pullFirst();
    }
  }

  private boolean pushes() {
    return options.pushes() && !readOnly;
  }

  /** Waits for as long as the pull gets on; not longer than the io timeout without a byte. */
  private void pullFirst() throws IOException {
    long before = -1;
    try {
      while (!waiters.await(() -> isLocal(options.pullFirst), deadline(options.ioTimeout))) {
        if (store.localBytes() == before) {
          throw new IOException(
              "pulling first made no progress for %s (%d of %d bytes local): %s"
                  .formatted(options.ioTimeout, before, size, remote));
        }
        before = store.localBytes();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while pulling first");
    }
  }

  private boolean isLocal(double fraction) throws IOException {
    if (progress().fractionLocal() >= fraction) {
      return true;
    }
    IOException fatal = puller.fatal();
    if (fatal != null) {
      throw Failures.reading(remote, 0, size, fatal);
    }
    if (gate.isShut()) {
      throw closed();
    }
    return false;
  }

  private void becameLocal(long chunk) {
    try {
      options.onChunkLocal.accept(chunks.offset(chunk));
    } catch (RuntimeException e) {
      LOG.log(System.Logger.Level.WARNING, "the hook onChunkLocal failed", e);
    }
    frontends.pulled(chunks.offset(chunk), chunks.length(chunk));
    waiters.signal();
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    Ranges.check(offset, dst.remaining(), size);
    enter();
    try {
      loadAbsent(offset, dst.remaining());
      store.read(dst, offset);
    } finally {
      gate.leave();
    }
  }

  @Override
  public void load(long offset, long length) throws IOException {
    Ranges.check(offset, length, size);
    enter();
    try {
      loadAbsent(offset, length);
    } finally {
      gate.leave();
    }
  }

  private void loadAbsent(long offset, long length) throws IOException {
    if (!store.isLocal(offset, length)) {
      order.readerAt(chunks.at(offset + length - 1));
      fetcher.load(offset, length, deadline(options.ioTimeout));
    }
  }

  @Override
  void store(ByteBuffer src, long offset) throws IOException {
    int length = src.remaining();
    if (store.cutsAbsentBlock(offset, length)) {
      loadAbsent(offset, 1);
      loadAbsent(offset + length - 1, 1);
    }
    store.write(src, offset);
  }

  @Override
  public boolean writeWaits(long offset, long length) {
    return store.cutsAbsentBlock(offset, length);
  }

  @Override
  public void sync() throws IOException {
    enter();
    try {
      options.onBeforeSync.run();
      options.onAfterSync.accept(push());
    } finally {
      gate.leave();
    }
  }

  @Override
  public void flush() throws IOException {
    if (readOnly) {
      return;
    }
    enter();
    try {
      if (options.durability == Durability.LOCAL) {
        store.commit();
      } else {
        push();
      }
    } finally {
      gate.leave();
    }
  }

  /** Pushes everything; with pushing switched off, makes it durable here. */
  private long[] push() throws IOException {
    if (pushes()) {
      return pusher.sync();
    }
    if (!readOnly) {
      store.commit();
    }
    return new long[0];
  }

  @Override
  public Progress progress() {
    return new Progress(size, store.localBytes(), store.dirtyBytes(), puller.isActive());
  }

  @Override
  public void awaitLocal(double fraction, Duration timeout)
      throws IOException, InterruptedException, TimeoutException {
    if (!waiters.await(() -> isLocal(fraction), deadline(timeout))) {
      throw new TimeoutException(
          "%.1f %% of %s are local after %s, not %.1f %%"
              .formatted(100 * progress().fractionLocal(), remote, timeout, 100 * fraction));
    }
  }

  @Override
  public void awaitLocal(long offset, long length, Duration timeout)
      throws IOException, TimeoutException {
    Ranges.check(offset, length, size);
    long deadline = deadline(timeout);
    enter();
    try {
      fetcher.load(offset, length, deadline);
    } catch (IOException e) {
      if (System.nanoTime() - deadline < 0) {
        throw e;
      }
      TimeoutException late = new TimeoutException(e.getMessage());
      late.initCause(e);
      throw late;
    } finally {
      gate.leave();
    }
  }

  private static long deadline(Duration timeout) {
    return System.nanoTime() + timeout.toNanos();
  }

  @Override
  public void localRuns(long offset, long length, LocalView.RunVisitor visitor) {
    store.localRuns(offset, length, visitor);
  }

  @Override
  public void dirtyRuns(long offset, long length, LocalView.RunVisitor visitor) {
    store.dirtyRuns(offset, length, visitor);
  }

  @Override
  public Optional<LocalView> local() {
    return store.isMapped() ? Optional.of(store) : Optional.empty();
  }

  @Override
  public void close() throws IOException {
    if (gate.isShut()) {
      return;
    }
    Closing.uninterrupted(this::pushAndAbandon);
  }

  private void pushAndAbandon() throws IOException {
    Closing closing = new Closing().step(options.onBeforeClose::run);
    if (pushes()) {
      // While the frontends are there: what is above them is flushed through them.
      closing.step(options.onBeforeSync::run);
    }
    closing.step(frontends::close);
    if (gate.shut()) {
      closing.step(this::endCalls).step(this::pushLast).step(this::letGo);
    }
    closing.end();
  }

  /** What is written from now on, nobody would push. */
  private void endCalls() {
    waiters.signal();
    fetcher.close();
    puller.close();
    gate.drain();
  }

  private void pushLast() throws IOException {
    if (!pushes()) {
      return;
    }
    try {
      options.onAfterSync.accept(pusher.sync());
    } catch (IOException e) {
      long left = pusher.owedBytes();
      String fate =
          options.cache != null
              ? "kept in %s: mount the resource again with this cache to push them"
                  .formatted(options.cache)
              : "lost, because there is no cache file";
      throw new IOException(
          "%d bytes were not pushed and are %s (%s)".formatted(left, fate, e.getMessage()), e);
    }
  }

  /** Lets go of everything without pushing. */
  private void abandon() throws IOException {
    if (gate.shut()) {
      new Closing().step(this::endCalls).step(this::letGo).end();
    }
  }

  private void letGo() throws IOException {
    new Closing().step(pusher::close).step(pushFetcher::close).step(local::close).end();
  }
}
