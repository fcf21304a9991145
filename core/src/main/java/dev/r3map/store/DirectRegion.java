package dev.r3map.store;

import dev.r3map.Progress;
import dev.r3map.backend.Backend;
import dev.r3map.backend.Ranges;
import dev.r3map.internal.Gate;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;

/**
 * A region that hands every call to its backend, trying again what may be transient.
 *
 * <p>A read or a write that hangs in the backend hangs its caller, because it may still use the
 * caller's buffer. Nobody else waits for it: not a sync, and a close not for ever.
 */
public final class DirectRegion extends OpenRegion {
  private final Duration ioTimeout;
  private final Retry retry;

  private DirectRegion(
      Backend remote, long size, boolean readOnly, Gate gate, Duration ioTimeout, Retry retry) {
    super(remote, size, readOnly, gate);
    this.ioTimeout = ioTimeout;
    this.retry = retry;
  }

  /** Opens a region; see {@link dev.r3map.DirectMount#open(Backend, boolean, Duration)}. */
  public static DirectRegion open(Backend backend, boolean readOnly, Duration ioTimeout)
      throws IOException {
    Gate gate = new Gate();
    Retry retry = new Retry(ioTimeout, gate::isShut);
    Remote remote = Remote.describe(backend, ioTimeout, retry);
    int chunk = remote.geometry().requiredChunk();
    if (chunk > 1) {
      throw new IllegalArgumentException(
          "%s takes whole chunks of %d bytes only: use a managed mount".formatted(backend, chunk));
    }
    boolean refuseWrites = readOnly || remote.geometry().readOnly();
    return new DirectRegion(backend, remote.size(), refuseWrites, gate, ioTimeout, retry);
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    int start = dst.position();
    int length = dst.remaining();
    Ranges.check(offset, length, size);
    enter();
    try {
      retry.run(() -> remote.read(dst.position(start), offset));
    } catch (IOException e) {
      throw Failures.reading(remote, offset, length, e);
    } finally {
      gate.leave();
    }
  }

  @Override
  void store(ByteBuffer src, long offset) throws IOException {
    int start = src.position();
    int length = src.remaining();
    try {
      retry.run(() -> remote.write(src.position(start), offset));
    } catch (IOException e) {
      throw Failures.writing(remote, offset, length, e);
    }
  }

  @Override
  public void sync() throws IOException {
    enter();
    try {
      syncRemote();
    } finally {
      gate.leave();
    }
  }

  /** Not tried again: a backend that failed may have dropped what it had, and nobody has a copy. */
  private void syncRemote() throws IOException {
    try {
      TimedCall.sync(ioTimeout, remote);
    } catch (IOException e) {
      throw Failures.syncing(remote, e);
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
  public Optional<LocalView> local() {
    return Optional.empty();
  }

  @Override
  public void localRuns(long offset, long length, LocalView.RunVisitor visitor) {
    visitor.run(offset, length, false);
  }

  @Override
  public void dirtyRuns(long offset, long length, LocalView.RunVisitor visitor) {
    visitor.run(offset, length, false);
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
  public void close() throws IOException {
    if (gate.isShut()) {
      return;
    }
    Closing.uninterrupted(this::drainAndFlush);
  }

  private void drainAndFlush() throws IOException {
    Closing closing = new Closing().step(frontends::close);
    if (gate.shut()) {
      // First, for what is written after the flush nobody would make durable.
      closing.step(this::drain);
      if (!readOnly) {
        closing.step(this::syncRemote);
      }
    }
    closing.end();
  }

  private void drain() throws IOException {
    if (!gate.drain(ioTimeout)) {
      throw new IOException("calls of %s do not return".formatted(remote));
    }
  }
}
