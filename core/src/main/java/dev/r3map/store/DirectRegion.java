package dev.r3map.store;

import dev.r3map.Progress;
import dev.r3map.backend.Backend;
import dev.r3map.backend.Ranges;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.spi.FrontendRegion;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A region that hands every call to its backend, trying again what may be transient. */
public final class DirectRegion implements FrontendRegion {
  private final Backend backend;
  private final long size;
  private final boolean readOnly;
  private final Retry retry;
  private final Frontends frontends = new Frontends();
  private final Gate gate = new Gate("the region");

  public DirectRegion(Backend backend, boolean readOnly, Duration ioTimeout) throws IOException {
    this.backend = backend;
    this.retry = new Retry(ioTimeout, gate::isClosed);
    Remote remote = Remote.describe(backend, retry);
    this.size = remote.size();
    this.readOnly = readOnly || remote.geometry().readOnly();
    if (remote.geometry().requiredChunk() > 1) {
      throw new IllegalArgumentException(
          "%s takes whole chunks of %d bytes only: use a managed mount"
              .formatted(backend, remote.geometry().requiredChunk()));
    }
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
  public void read(ByteBuffer dst, long offset) throws IOException {
    int start = dst.position();
    int length = dst.remaining();
    Ranges.check(offset, length, size);
    gate.enter();
    try {
      retry.run(() -> backend.read(dst.position(start), offset));
    } catch (IOException e) {
      throw Failures.reading(backend, offset, length, e);
    } finally {
      gate.leave();
    }
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    write(src, offset, null);
  }

  @Override
  public void write(ByteBuffer src, long offset, @Nullable Frontend origin) throws IOException {
    int start = src.position();
    int length = src.remaining();
    Ranges.check(offset, length, size);
    if (readOnly) {
      throw new ReadOnlyException(backend + " is mounted read-only");
    }
    gate.enter();
    try {
      retry.run(() -> backend.write(src.position(start), offset));
      frontends.written(offset, length, origin);
    } catch (IOException e) {
      throw Failures.writing(backend, offset, length, e);
    } finally {
      gate.leave();
    }
  }

  @Override
  public void sync() throws IOException {
    gate.enter();
    try {
      // Not tried again: a backend that failed may have dropped what it had, and nobody has a copy.
      backend.sync();
    } catch (IOException e) {
      throw Failures.syncing(backend, e);
    } finally {
      gate.leave();
    }
  }

  @Override
  public void flush() throws IOException {
    if (!readOnly) {
      sync();
    }
  }

  /** Nothing is ever local. */
  @Override
  public Progress progress() {
    return new Progress(size, 0, 0, false);
  }

  @Override
  public void awaitLocal(double fraction, Duration timeout) {
    throw new UnsupportedOperationException("a direct mount has no local store");
  }

  @Override
  public void awaitLocal(long offset, long length, Duration timeout) {
    throw new UnsupportedOperationException("a direct mount has no local store");
  }

  @Override
  public FileChannel file() {
    return new RegionChannel(this);
  }

  @Override
  public Optional<LocalView> local() {
    return Optional.empty();
  }

  @Override
  public void load(long offset, long length) {
    Ranges.check(offset, length, size);
  }

  @Override
  public boolean writeWaits(long offset, long length) {
    return true;
  }

  @Override
  public void attach(Frontend frontend) throws IOException {
    frontends.attach(frontend);
  }

  @Override
  public void detach(Frontend frontend) {
    frontends.detach(frontend);
  }

  @Override
  public void close() throws IOException {
    Closing closing = new Closing().step(frontends::close);
    if (!gate.isClosed() && !readOnly) {
      closing.step(this::sync);
    }
    gate.shut();
    gate.drain();
    closing.end();
  }

  @Override
  public String toString() {
    return backend.toString();
  }
}
