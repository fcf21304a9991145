package dev.r3map.grpc;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.Ranges;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * A resource that a gRPC server serves. Owns two threads and two connections; whoever opened it
 * closes it, and calls in flight fail then.
 *
 * <p>A call fails when the server has been silent for the options' timeout, a sync for six times
 * that. A lost connection is made again by the next call; calls in flight fail with a plain {@link
 * IOException}. {@link #sync} fails likewise when the server has restarted since a write that no
 * earlier sync covered, until those bytes have been written again: the server may have forgotten
 * them.
 */
final class GrpcBackend implements Backend {
  private final Link link;
  private final Protocol protocol;
  private final ClientFailures failures;

  private GrpcBackend(Link link, Protocol protocol, ClientFailures failures) {
    this.link = link;
    this.protocol = protocol;
    this.failures = failures;
  }

  static GrpcBackend open(Endpoint endpoint, BackendOptions options) throws IOException {
    options.token().ifPresent(Tokens::checkSendable);
    ClientFailures failures = new ClientFailures(endpoint.name(), options.token());
    Link link = new Link(endpoint, options);
    try {
      Caller caller = new Caller(link, failures, options.timeout());
      Optional<ResourceClient> resource = ResourceClient.open(caller, options);
      Protocol protocol = resource.isPresent() ? resource.get() : MountClient.open(caller, options);
      link.prepareBulk();
      return new GrpcBackend(link, protocol, failures);
    } catch (IOException | RuntimeException e) {
      link.close();
      throw e;
    }
  }

  @Override
  public long size() {
    return protocol.size();
  }

  @Override
  public Geometry geometry() {
    return protocol.geometry();
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    Ranges.check(offset, dst.remaining(), size());
    pieces(dst, offset, protocol::read);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    Ranges.check(offset, src.remaining(), size());
    checkWritable(Actions.write(offset, src.remaining()));
    pieces(src, offset, protocol::write);
  }

  @Override
  public void sync() throws IOException {
    if (link.closed()) {
      throw failures.closed("sync");
    }
    if (!geometry().readOnly()) {
      protocol.sync();
    }
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    Ranges.check(offset, length, size());
    checkWritable(Actions.of("discard", offset, length));
    protocol.discard(offset, length);
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    Ranges.check(offset, length, size());
    checkWritable(Actions.of("zero", offset, length));
    if (!protocol.zero(offset, length)) {
      Backend.super.zero(offset, length);
    }
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    Ranges.check(offset, length, size());
    return protocol.extents(offset, length);
  }

  @Override
  public Optional<String> identity() throws IOException {
    return protocol.identity();
  }

  @Override
  public void close() {
    link.close();
  }

  @Override
  public String toString() {
    return link.endpoint().name();
  }

  private void checkWritable(String action) throws IOException {
    if (link.closed()) {
      throw failures.closed(action);
    }
    if (geometry().readOnly()) {
      throw new ReadOnlyException("cannot %s %s: it is read-only".formatted(action, this));
    }
  }

  @FunctionalInterface
  private interface Piece {
    void move(ByteBuffer buffer, long offset) throws IOException;
  }

  /** One call carries so much and no more. */
  private void pieces(ByteBuffer buffer, long offset, Piece piece) throws IOException {
    int most = geometry().maxTransfer();
    int start = buffer.position();
    int length = buffer.remaining();
    for (int done = 0; done < length; ) {
      int n = Math.min(most, length - done);
      piece.move(buffer.slice(start + done, n), offset + done);
      done += n;
    }
    buffer.position(start + length);
  }
}
