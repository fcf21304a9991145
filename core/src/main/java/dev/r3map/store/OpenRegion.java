package dev.r3map.store;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Ranges;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.internal.Gate;
import dev.r3map.spi.FrontendRegion;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/** What every region has: a size, frontends, and calls that close must wait for. */
abstract class OpenRegion implements FrontendRegion {
  final Backend remote;
  final long size;
  final boolean readOnly;
  final Frontends frontends = new Frontends();
  final Gate gate;

  OpenRegion(Backend remote, long size, boolean readOnly, Gate gate) {
    this.remote = remote;
    this.size = size;
    this.readOnly = readOnly;
    this.gate = gate;
  }

  /** A call between {@link #enter} and {@code gate.leave()}. */
  final void enter() throws IOException {
    if (!gate.enter()) {
      throw closed();
    }
  }

  final IOException closed() {
    return new IOException("the region is closed: " + remote);
  }

  /** Checks a write and carries it out. */
  @Override
  public final void write(ByteBuffer src, long offset, @Nullable Frontend origin)
      throws IOException {
    int length = src.remaining();
    Ranges.check(offset, length, size);
    if (readOnly) {
      throw new ReadOnlyException(remote + " is mounted read-only");
    }
    enter();
    try {
      storeAndTell(src, offset, length, origin);
    } finally {
      gate.leave();
    }
  }

  private void storeAndTell(ByteBuffer src, long offset, int length, @Nullable Frontend origin)
      throws IOException {
    try {
      store(src, offset);
    } finally {
      // After a failure, too: some of the bytes may be there.
      frontends.written(offset, length, origin);
    }
  }

  /** Writes a range that is within the region. */
  abstract void store(ByteBuffer src, long offset) throws IOException;

  @Override
  public final void write(ByteBuffer src, long offset) throws IOException {
    write(src, offset, null);
  }

  @Override
  public final long size() {
    return size;
  }

  @Override
  public final boolean readOnly() {
    return readOnly;
  }

  @Override
  public final FileChannel file() {
    return new RegionChannel(this);
  }

  @Override
  public final void attach(Frontend frontend) throws IOException {
    frontends.attach(frontend);
  }

  @Override
  public final void detach(Frontend frontend) {
    frontends.detach(frontend);
  }

  @Override
  public final String toString() {
    return remote.toString();
  }
}
