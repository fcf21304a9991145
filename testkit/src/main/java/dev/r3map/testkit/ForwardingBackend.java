package dev.r3map.testkit;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.testkit.BackendCall.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** Hands every call on to another backend: to be extended where something shall differ. */
public abstract class ForwardingBackend implements Backend {
  private final Backend delegate;

  protected ForwardingBackend(Backend delegate) {
    this.delegate = delegate;
  }

  /** What a call does, when it is run. */
  protected interface Step<T> {
    T run() throws IOException;
  }

  /** Runs every call that does I/O. Whoever overrides this may do something before or after it. */
  protected <T> T around(BackendCall call, Step<T> step) throws IOException {
    return step.run();
  }

  @Override
  public long size() throws IOException {
    return delegate.size();
  }

  @Override
  public Geometry geometry() throws IOException {
    return delegate.geometry();
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    perform(Kind.READ, offset, dst.remaining(), () -> delegate.read(dst, offset));
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    perform(Kind.WRITE, offset, src.remaining(), () -> delegate.write(src, offset));
  }

  @Override
  public void sync() throws IOException {
    perform(Kind.SYNC, 0, 0, delegate::sync);
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    perform(Kind.DISCARD, offset, length, () -> delegate.discard(offset, length));
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    perform(Kind.ZERO, offset, length, () -> delegate.zero(offset, length));
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    return around(
        new BackendCall(Kind.EXTENTS, offset, length), () -> delegate.extents(offset, length));
  }

  @Override
  public Optional<String> identity() throws IOException {
    return around(new BackendCall(Kind.IDENTITY, 0, 0), delegate::identity);
  }

  @Override
  public void close() throws IOException {
    perform(Kind.CLOSE, 0, 0, delegate::close);
  }

  @Override
  public String toString() {
    return delegate.toString();
  }

  private interface Action {
    void run() throws IOException;
  }

  private void perform(Kind kind, long offset, long length, Action action) throws IOException {
    Step<Boolean> step =
        () -> {
          action.run();
          return true;
        };
    var _ = around(new BackendCall(kind, offset, length), step);
  }
}
