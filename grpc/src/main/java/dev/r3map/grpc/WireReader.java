package dev.r3map.grpc;

import io.grpc.HasByteBuffer;
import io.grpc.KnownLength;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Reads a protobuf message from the transport's own buffers. Payload goes from there straight to
 * where it belongs; no length is believed before it was compared with what the message holds.
 */
final class WireReader {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;
  private static final int CRUMBS = 1024;

  private final InputStream in;
  private int remaining;

  WireReader(InputStream in) throws IOException {
    if (!(in instanceof KnownLength)) {
      throw new MalformedException("message of unknown length");
    }
    this.in = in;
    this.remaining = in.available();
  }

  private WireReader(InputStream in, int length) {
    this.in = in;
    this.remaining = length;
  }

  /** The next field's tag, 0 at the end of the message. */
  int tag() throws IOException {
    if (remaining == 0) {
      return 0;
    }
    long tag = varint();
    if (tag >>> 3 == 0 || tag >>> 32 != 0) {
      throw new MalformedException("bad field tag " + tag);
    }
    return (int) tag;
  }

  static int varintTag(int field) {
    return field << 3 | VARINT;
  }

  static int fixed64Tag(int field) {
    return field << 3 | FIXED64;
  }

  static int bytesTag(int field) {
    return field << 3 | BYTES;
  }

  long varint() throws IOException {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      int b = octet();
      value |= (long) (b & 0x7f) << shift;
      if (b < 0x80) {
        return value;
      }
    }
    throw new MalformedException("varint of more than 10 bytes");
  }

  long fixed64() throws IOException {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 8) {
      value |= (long) octet() << shift;
    }
    return value;
  }

  /** A length of what follows, which the message really holds. */
  int length() throws IOException {
    long length = varint();
    if (length < 0 || length > remaining) {
      throw new MalformedException(
          "length %d where %d bytes are left".formatted(length, remaining));
    }
    return (int) length;
  }

  String string() throws IOException {
    return new String(take(length()), StandardCharsets.UTF_8);
  }

  /** The embedded message that follows; read it to its end before going on. */
  WireReader message() throws IOException {
    int length = length();
    remaining -= length;
    return new WireReader(in, length);
  }

  /** Moves {@code length} bytes to {@code dst}, which has room for them. */
  void bytes(ByteBuffer dst, int length) throws IOException {
    remaining -= length;
    for (int left = length; left > 0; ) {
      int n;
      if (dst.hasArray()) {
        n = in.read(dst.array(), dst.arrayOffset() + dst.position(), left);
        dst.position(dst.position() + Math.max(n, 0));
      } else if (in instanceof HasByteBuffer buffers && buffers.byteBufferSupported()) {
        n = part(buffers, dst, left);
      } else {
        n = bounce(dst, left);
      }
      if (n <= 0) {
        throw new MalformedException("message ends early");
      }
      left -= n;
    }
  }

  private int part(HasByteBuffer buffers, ByteBuffer dst, int most) throws IOException {
    ByteBuffer part = buffers.getByteBuffer();
    if (part == null) {
      return 0;
    }
    int n = Math.min(most, part.remaining());
    dst.put(part.limit(part.position() + n));
    return (int) in.skip(n);
  }

  /**
   * For what gRPC itself has put into an array: crumbs before and behind the transport's buffers.
   */
  private int bounce(ByteBuffer dst, int most) throws IOException {
    byte[] crumbs = new byte[Math.min(most, CRUMBS)];
    int n = in.read(crumbs, 0, crumbs.length);
    if (n > 0) {
      dst.put(crumbs, 0, n);
    }
    return n;
  }

  /** Passes over a field that this version does not know. */
  void skip(int tag) throws IOException {
    int length =
        switch (tag & 7) {
          case VARINT -> {
            varint();
            yield 0;
          }
          case FIXED64 -> 8;
          case BYTES -> length();
          case FIXED32 -> 4;
          default -> throw new MalformedException("unknown wire type in tag " + tag);
        };
    if (length > remaining) {
      throw new MalformedException("message ends early");
    }
    remaining -= length;
    in.skipNBytes(length);
  }

  private byte[] take(int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    bytes(bytes, length);
    return bytes.array();
  }

  private int octet() throws IOException {
    if (remaining == 0) {
      throw new MalformedException("message ends early");
    }
    remaining--;
    int b = in.read();
    if (b < 0) {
      throw new MalformedException("message ends early");
    }
    return b;
  }
}
