package dev.r3map.grpc;

import io.grpc.Drainable;
import io.grpc.KnownLength;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A message on its way to the transport: a few encoded bytes, then payload that goes from its
 * buffer into the transport's without another copy in between (a direct buffer passes through 64
 * KiB that stay in the processor's cache: the transport takes arrays only).
 */
final class Outbound extends InputStream implements Drainable, KnownLength {
  private static final int SCRATCH = 64 << 10;

  private final byte[] header;
  private final @Nullable ByteBuffer payload;
  private final int length;
  private volatile boolean revoked;
  private @Nullable InputStream fallback;

  Outbound(WireWriter header) {
    this(header, null);
  }

  /**
   * @param payload of which the remaining bytes are sent; its position stays as it is
   */
  Outbound(WireWriter header, @Nullable ByteBuffer payload) {
    this.header = header.toByteArray();
    this.payload = payload;
    this.length = this.header.length + (payload == null ? 0 : payload.remaining());
  }

  /** The payload's owner takes it back: what was not sent yet never will be. */
  void revoke() {
    revoked = true;
  }

  @Override
  public int drainTo(OutputStream target) throws IOException {
    if (revoked) {
      throw new IOException("the call was given up");
    }
    target.write(header);
    if (payload == null) {
      return length;
    }
    int size = payload.remaining();
    if (payload.hasArray()) {
      target.write(payload.array(), payload.arrayOffset() + payload.position(), size);
      return length;
    }
    byte[] scratch = Buffers.take(Math.min(size, SCRATCH));
    try {
      for (int done = 0; done < size; ) {
        int n = Math.min(size - done, SCRATCH);
        payload.get(payload.position() + done, scratch, 0, n);
        target.write(scratch, 0, n);
        done += n;
      }
    } finally {
      Buffers.give(scratch);
    }
    return length;
  }

  @Override
  public int available() {
    return length;
  }

  /** For transports that do not drain; Netty's does. */
  @Override
  public int read() throws IOException {
    return undrained().read();
  }

  @Override
  public int read(byte[] target, int offset, int count) throws IOException {
    return undrained().read(target, offset, count);
  }

  private InputStream undrained() throws IOException {
    InputStream in = fallback;
    if (in == null) {
      ByteArrayOutputStream all = new ByteArrayOutputStream(length);
      drainTo(all);
      in = new ByteArrayInputStream(all.toByteArray());
      fallback = in;
    }
    return in;
  }
}
