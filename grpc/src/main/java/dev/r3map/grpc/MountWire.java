package dev.r3map.grpc;

import static dev.r3map.grpc.WireReader.bytesTag;
import static dev.r3map.grpc.WireReader.varintTag;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The messages of the Go r3map's mount service; {@code backend.proto} is their definition. */
final class MountWire {
  private MountWire() {}

  record ReadAtArgs(int length, long offset) {}

  /** The array of {@code data} is the receiver's to give back. */
  record WriteAtArgs(long offset, ByteBuffer data) {}

  static Outbound readAtArgs(int length, long offset) {
    return new Outbound(new WireWriter().varint(1, length).varint(2, offset));
  }

  static ReadAtArgs readAtArgs(InputStream message) throws IOException {
    int length = 0;
    long offset = 0;
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == varintTag(1)) {
        length = (int) in.varint();
      } else if (tag == varintTag(2)) {
        offset = in.varint();
      } else {
        in.skip(tag);
      }
    }
    return new ReadAtArgs(length, offset);
  }

  static Outbound readAtReply(ByteBuffer data) {
    int length = data.remaining();
    return new Outbound(new WireWriter().varint(1, length).payload(2, length), data);
  }

  /** Fills {@code dst}: all of it, or the reply is malformed. */
  static void readAtReply(InputStream message, ByteBuffer dst) throws IOException {
    int asked = dst.remaining();
    int start = dst.position();
    long n = 0;
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == varintTag(1)) {
        n = (int) in.varint();
      } else if (tag == bytesTag(2)) {
        int length = in.length();
        if (length > dst.remaining()) {
          throw new MalformedException(
              "a reply of %d bytes to a request for %d".formatted(length, asked));
        }
        in.bytes(dst, length);
      } else {
        in.skip(tag);
      }
    }
    int got = dst.position() - start;
    if (n != asked || got != asked) {
      throw new MalformedException(
          "short reply: N=%d and %d bytes where %d were asked for".formatted(n, got, asked));
    }
  }

  static Outbound writeAtArgs(long offset, ByteBuffer data) {
    return new Outbound(new WireWriter().varint(1, offset).payload(2, data.remaining()), data);
  }

  /** Takes an array for the data, which the caller gives back. */
  static WriteAtArgs writeAtArgs(InputStream message) throws IOException {
    long offset = 0;
    @Nullable ByteBuffer data = null;
    boolean whole = false;
    try {
      WireReader in = new WireReader(message);
      for (int tag; (tag = in.tag()) != 0; ) {
        if (tag == varintTag(1)) {
          offset = in.varint();
        } else if (tag == bytesTag(2)) {
          if (data != null) {
            throw new MalformedException("more than one P");
          }
          int length = in.length();
          data = Buffers.takeBuffer(length);
          in.bytes(data, length);
          data.flip();
        } else {
          in.skip(tag);
        }
      }
      whole = true;
      return new WriteAtArgs(offset, data == null ? Buffers.takeBuffer(0) : data);
    } finally {
      if (!whole && data != null) {
        Buffers.give(data);
      }
    }
  }

  /** The reply of WriteAt and of Size: one number. */
  static Outbound number(long value) {
    return new Outbound(new WireWriter().varint(1, value));
  }

  static long number(InputStream message) throws IOException {
    long value = 0;
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == varintTag(1)) {
        value = in.varint();
      } else {
        in.skip(tag);
      }
    }
    return value;
  }

  /** Size's and Sync's arguments and Sync's reply. */
  static Outbound empty() {
    return new Outbound(new WireWriter());
  }
}
