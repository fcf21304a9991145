package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.FLAG_BLOCK_STATUS_PAYLOAD;
import static dev.r3map.nbd.protocol.Transmission.FLAG_CAN_MULTI_CONN;
import static dev.r3map.nbd.protocol.Transmission.FLAG_HAS_FLAGS;
import static dev.r3map.nbd.protocol.Transmission.FLAG_READ_ONLY;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_CACHE;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_DF;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_FAST_ZERO;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_FLUSH;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_FUA;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_TRIM;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_WRITE_ZEROES;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.nbd.NbdExport;
import dev.r3map.spi.FrontendRegion;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An export as its connections see it. There is one object for all of them, whose backend promises
 * that a sync covers every write before it, whoever made it: that is what multi-conn means.
 */
public final class Export {
  /** What clients that ask for no limits keep to, by the specification. */
  static final int MAX_PAYLOAD = 32 << 20;

  private static final int PREFERRED = 4096;
  private static final int MOST_MINIMUM = 64 << 10;

  /** Shared by all who write zeros. */
  private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(1 << 20).asReadOnlyBuffer();

  private final NbdExport served;
  private final long size;
  private final boolean readOnly;
  private final int minimum;
  private final int preferred;
  private final int maximum;

  /** Null if it is served from a backend. */
  private final @Nullable FrontendRegion region;

  private final @Nullable LocalView view;

  /**
   * Asks the backend for what does not change.
   *
   * @throws IOException if it cannot tell
   * @throws IllegalArgumentException if the protocol cannot express its limits
   */
  public Export(NbdExport served) throws IOException {
    this.served = served;
    Backend backend = served.backend();
    Geometry geometry = backend.geometry();
    size = backend.size();
    readOnly = served.readOnly() || geometry.readOnly();
    minimum = geometry.requiredChunk();
    if (minimum > MOST_MINIMUM || Integer.bitCount(minimum) != 1) {
      throw new IllegalArgumentException(
          "%s needs chunks of %d bytes: NBD can express powers of two up to 65536"
              .formatted(backend, minimum));
    }
    maximum = Math.min(MAX_PAYLOAD, geometry.maxTransfer() - geometry.maxTransfer() % minimum);
    int liked = Integer.highestOneBit(Math.max(geometry.preferredChunk(), PREFERRED));
    preferred = Math.clamp(liked, minimum, Math.max(minimum, Integer.highestOneBit(maximum)));
    region = backend instanceof RegionBackend open ? open.region() : null;
    view = region == null ? null : region.local().orElse(null);
  }

  Backend backend() {
    return served.backend();
  }

  String name() {
    return served.name();
  }

  String description() {
    return served.description();
  }

  long size() {
    return size;
  }

  boolean readOnly() {
    return readOnly;
  }

  /** Whether plaintext is not good enough for it. */
  boolean tlsOnly() {
    return served.tlsOnly();
  }

  /** Requests must be multiples of this many bytes; a power of two. */
  int minimum() {
    return minimum;
  }

  /** The size of request that works best, in bytes; a power of two. */
  int preferred() {
    return preferred;
  }

  /** The most bytes that a read or a write may carry. */
  int maximum() {
    return maximum;
  }

  /** Whether a request waits for nothing: who has taken it can as well carry it out. */
  boolean isImmediate(Request request) {
    if (request.type != CMD_READ && request.type != CMD_WRITE) {
      return false;
    }
    if (region == null) {
      return backend() instanceof MemoryBackend;
    }
    if (request.type == CMD_WRITE) {
      return !region.writeWaits(request.offset, request.length);
    }
    return view != null && view.isLocal(request.offset, request.length);
  }

  /** The transmission flags, for a connection that has negotiated so much. */
  int flags(boolean structured, boolean extended) {
    int flags =
        FLAG_HAS_FLAGS
            | FLAG_SEND_FLUSH
            | FLAG_SEND_FUA
            | FLAG_SEND_CACHE
            | FLAG_CAN_MULTI_CONN
            | (structured ? FLAG_SEND_DF : 0)
            | (extended ? FLAG_BLOCK_STATUS_PAYLOAD : 0);
    return flags
        | (readOnly
            ? FLAG_READ_ONLY
            : FLAG_SEND_TRIM | FLAG_SEND_WRITE_ZEROES | FLAG_SEND_FAST_ZERO);
  }

  /** Whether zeroing a range is sure to be faster than writing it. */
  boolean zeroesFast() {
    return backend() instanceof MemoryBackend;
  }

  /**
   * Makes a range zeros.
   *
   * @param allocated whether the space for it is to be taken at once
   */
  void zero(long offset, long length, boolean allocated) throws IOException {
    if (!allocated) {
      backend().zero(offset, length);
      return;
    }
    ByteBuffer zeros = ZEROS.duplicate();
    for (long at = offset; at < offset + length; at += zeros.limit()) {
      if (Thread.currentThread().isInterrupted()) {
        throw new InterruptedIOException("interrupted while writing zeros");
      }
      zeros.clear().limit((int) Math.min(offset + length - at, zeros.capacity()));
      backend().write(zeros, at);
    }
  }

  /** Fetches a range that will be read soon, if there is anything to keep it. */
  void prefetch(long offset, long length) throws IOException {
    if (region != null) {
      region.load(offset, length);
    }
  }

  /** Null if it is served from a backend. */
  @Nullable FrontendRegion region() {
    return region;
  }

  /** What clients may ask about its bytes. */
  List<MetaContext> contexts() {
    return region == null ? List.of(MetaContext.ALLOCATION) : List.of(MetaContext.values());
  }
}
