package dev.r3map.linux.fuse;

import dev.r3map.Progress;
import dev.r3map.Region;
import dev.r3map.backend.Ranges;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.linux.storage.LinuxPlatform;
import dev.r3map.spi.FrontendRegion;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A region for tests of devices: chunks of 64 KiB in memory, local from the start or fetched from a
 * pattern, by code that a test can replace.
 */
final class TestRegion implements FrontendRegion {
  static final int CHUNK = 64 << 10;

  private final long size;
  private final boolean readOnly;
  private final boolean direct;
  private final LocalStorage storage;
  private final MemorySegment mapping;
  private final ConcurrentHashMap<Long, ReentrantLock> fetching = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<Long, Boolean> present = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<Long, Boolean> written = new ConcurrentHashMap<>();
  private final List<Frontend> frontends = new CopyOnWriteArrayList<>();
  private volatile boolean allPresent;
  private volatile boolean closed;

  /** Takes the place of the network; runs before a chunk becomes local. */
  volatile Hook onFetch = chunk -> {};

  volatile Hook onFlush = nothing -> {};
  volatile Hook onWrite = offset -> {};

  /** Takes the place of something that may fail. */
  interface Hook {
    void run(long offset) throws IOException;
  }

  private TestRegion(long size, boolean readOnly, boolean direct, boolean allPresent)
      throws IOException {
    this.size = size;
    this.readOnly = readOnly;
    this.direct = direct;
    this.allPresent = allPresent;
    storage = new LinuxPlatform().memory(size);
    mapping = storage.mapping().orElseThrow();
  }

  /** Local zeros. */
  static TestRegion local(long size) throws IOException {
    return new TestRegion(size, false, false, true);
  }

  /** Local zeros with a pattern here and there. */
  static TestRegion localReadOnly(long size, long... patternChunks) throws IOException {
    TestRegion region = new TestRegion(size, true, false, true);
    for (long chunk : patternChunks) {
      region.fill(chunk);
    }
    return region;
  }

  /** A pattern that has to be fetched. */
  static TestRegion remote(long size) throws IOException {
    return new TestRegion(size, false, false, false);
  }

  /** A pattern that has to be fetched. */
  static TestRegion remoteReadOnly(long size) throws IOException {
    return new TestRegion(size, true, false, false);
  }

  /** A pattern that is never kept. */
  static TestRegion direct(long size) throws IOException {
    return new TestRegion(size, false, true, false);
  }

  /** The bytes of the pattern. */
  static byte[] pattern(long offset, int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      long at = offset + i;
      bytes[i] = (byte) ((at * 31 + (at >> 12) * 7 + (at >> 16)) ^ 0x5a);
    }
    return bytes;
  }

  List<Frontend> frontends() {
    return frontends;
  }

  /** How many bytes of memory the store takes. */
  long allocated() throws IOException {
    Path file = Path.of("/proc/self/fd/" + storage.descriptor().orElseThrow());
    return new LinuxPlatform()
        .extents(file, 0, size).stream()
            .filter(extent -> !extent.hole())
            .mapToLong(extent -> extent.length())
            .sum();
  }

  /** Makes everything local, with the pattern, and tells the frontends. */
  void pullAll() throws IOException {
    for (long chunk = 0; chunk < size; chunk += CHUNK) {
      pull(chunk);
    }
    allPresent = true;
  }

  /** Makes a chunk local and tells the frontends. */
  void pull(long chunk) throws IOException {
    fill(chunk);
    present.put(chunk, true);
    long length = Math.min(CHUNK, size - chunk);
    frontends.forEach(frontend -> frontend.pulled(chunk, length));
  }

  private void fill(long chunk) throws IOException {
    int length = (int) Math.min(CHUNK, size - chunk);
    storage.write(ByteBuffer.wrap(pattern(chunk, length)), chunk);
    written.put(chunk, true);
  }

  private boolean isPresent(long offset, long length) {
    if (allPresent) {
      return true;
    }
    for (long chunk = start(offset); chunk < offset + length; chunk += CHUNK) {
      if (!present.containsKey(chunk)) {
        return false;
      }
    }
    return true;
  }

  private static long start(long offset) {
    return offset / CHUNK * CHUNK;
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public boolean readOnly() {
    return readOnly;
  }

  @Override
  public void load(long offset, long length) throws IOException {
    for (long chunk = start(offset); chunk < offset + length && !direct; chunk += CHUNK) {
      ReentrantLock one = fetching.computeIfAbsent(chunk, _ -> new ReentrantLock());
      one.lock();
      try {
        if (!isPresent(chunk, 1)) {
          onFetch.run(chunk);
          pull(chunk);
        }
      } finally {
        one.unlock();
      }
    }
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    Ranges.check(offset, dst.remaining(), size);
    if (closed) {
      throw new IOException("closed");
    }
    if (direct) {
      onFetch.run(offset);
    } else {
      load(offset, dst.remaining());
    }
    storage.read(dst, offset);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    store(src, offset, Optional.empty());
  }

  @Override
  public void write(ByteBuffer src, long offset, Frontend origin) throws IOException {
    store(src, offset, Optional.of(origin));
  }

  private void store(ByteBuffer src, long offset, Optional<Frontend> origin) throws IOException {
    int length = src.remaining();
    if (readOnly) {
      throw new ReadOnlyException("read only");
    }
    Ranges.check(offset, length, size);
    onWrite.run(offset);
    load(offset, length);
    storage.write(src, offset);
    for (long chunk = start(offset); chunk < offset + length; chunk += CHUNK) {
      written.put(chunk, true);
    }
    for (Frontend frontend : frontends) {
      if (origin.isEmpty() || !origin.get().equals(frontend)) {
        frontend.written(offset, length);
      }
    }
  }

  @Override
  public boolean writeWaits(long offset, long length) {
    return direct || !isPresent(offset, length);
  }

  @Override
  public void sync() throws IOException {
    onFlush.run(0);
  }

  @Override
  public void flush() throws IOException {
    onFlush.run(0);
  }

  @Override
  public Optional<LocalView> local() {
    return direct ? Optional.empty() : Optional.of(new View());
  }

  @Override
  public void attach(Frontend frontend) throws IOException {
    if (closed) {
      throw new IOException("closed");
    }
    frontends.add(frontend);
  }

  @Override
  public void detach(Frontend frontend) {
    frontends.remove(frontend);
  }

  @Override
  public Progress progress() {
    throw new UnsupportedOperationException();
  }

  @Override
  public void awaitLocal(double fraction, Duration timeout) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void awaitLocal(long offset, long length, Duration timeout) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileChannel file() {
    throw new UnsupportedOperationException();
  }

  /** As {@link Region#close} promises: frontends first. */
  @Override
  public void close() throws IOException {
    for (Frontend frontend : frontends) {
      frontend.close();
    }
    if (!closed) {
      closed = true;
      storage.close();
    }
  }

  @Override
  public String toString() {
    return "test region of " + size;
  }

  @Override
  public void localRuns(long offset, long length, LocalView.RunVisitor visitor) {
    throw new UnsupportedOperationException("not needed here");
  }

  @Override
  public void dirtyRuns(long offset, long length, LocalView.RunVisitor visitor) {
    throw new UnsupportedOperationException("not needed here");
  }

  private final class View implements LocalView {
    @Override
    public MemorySegment mapping() {
      return mapping;
    }

    @Override
    public boolean isLocal(long offset, long length) {
      return isPresent(offset, length);
    }

    @Override
    public void runs(long offset, long length, RunVisitor visitor) {
      if (size > 1L << 40 || written.isEmpty()) {
        visitor.run(offset, length, true);
        return;
      }
      long end = offset + length;
      for (long at = offset; at < end; ) {
        boolean zeros = !written.containsKey(start(at));
        long until = Math.min(end, start(at) + CHUNK);
        while (until < end && written.containsKey(until) != zeros) {
          until = Math.min(end, until + CHUNK);
        }
        visitor.run(at, until - at, zeros);
        at = until;
      }
    }

    @Override
    public int descriptor() {
      return storage.descriptor().orElse(-1);
    }
  }
}
