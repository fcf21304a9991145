package dev.r3map.it.failure;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A protobuf message, written by hand so that it can also be a wrong one. */
final class Message {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  Message varint(int field, long value) {
    raw(((long) field << 3) | VARINT);
    return raw(value);
  }

  Message fixed64(int field, long value) {
    raw(((long) field << 3) | FIXED64);
    byte[] bytes = new byte[Long.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(value);
    out.writeBytes(bytes);
    return this;
  }

  Message bytes(int field, byte[] bytes) {
    return bytes(field, bytes.length, bytes);
  }

  /** With a length that may be a lie. */
  Message bytes(int field, long length, byte[] bytes) {
    raw(((long) field << 3) | BYTES);
    raw(length);
    out.writeBytes(bytes);
    return this;
  }

  Message message(int field, Message inner) {
    return bytes(field, inner.toByteArray());
  }

  private Message raw(long varint) {
    long left = varint;
    for (; (left & ~0x7fL) != 0; left >>>= 7) {
      out.write((int) ((left & 0x7f) | 0x80));
    }
    out.write((int) left);
    return this;
  }

  byte[] toByteArray() {
    return out.toByteArray();
  }

  /** The value of a field, 0 if it is not there. */
  static long number(byte[] message, int field) {
    ByteBuffer in = find(message, field);
    if (in == null) {
      return 0;
    }
    return in.remaining() == Long.BYTES && in.get(in.position() - 1) == ((field << 3) | FIXED64)
        ? in.order(ByteOrder.LITTLE_ENDIAN).getLong()
        : readVarint(in);
  }

  /** The bytes of a field, none if it is not there. */
  static byte[] content(byte[] message, int field) {
    ByteBuffer in = find(message, field);
    byte[] content = new byte[in == null ? 0 : in.remaining()];
    if (in != null) {
      in.get(content);
    }
    return content;
  }

  /** Where a field's content begins and ends; null if it is not there. Its tag is one byte. */
  private static ByteBuffer find(byte[] message, int field) {
    ByteBuffer in = ByteBuffer.wrap(message);
    while (in.hasRemaining()) {
      int tag = (int) readVarint(in);
      int start = in.position();
      int length =
          switch (tag & 7) {
            case FIXED64 -> Long.BYTES;
            case BYTES -> (int) readVarint(in);
            default -> {
              readVarint(in);
              yield in.position() - start;
            }
          };
      if ((tag & 7) == BYTES) {
        start = in.position();
      }
      if (tag >> 3 == field) {
        return in.position(start).limit(start + length);
      }
      in.position(start + length);
    }
    return null;
  }

  private static long readVarint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte next = in.get();
      value |= (next & 0x7fL) << shift;
      if (next >= 0) {
        return value;
      }
    }
  }
}
