package dev.r3map.grpc;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Writes a protobuf message; fields of the default value are left out, as proto3 does. */
final class WireWriter {
  private byte[] bytes = new byte[48];
  private int length;

  WireWriter varint(int field, long value) {
    if (value != 0) {
      raw(WireReader.varintTag(field));
      raw(value);
    }
    return this;
  }

  WireWriter bool(int field, boolean value) {
    return varint(field, value ? 1 : 0);
  }

  WireWriter fixed64(int field, long value) {
    if (value != 0) {
      raw(WireReader.fixed64Tag(field));
      ensure(8);
      for (int shift = 0; shift < 64; shift += 8) {
        bytes[length++] = (byte) (value >>> shift);
      }
    }
    return this;
  }

  /** Also if it is empty: for fields that may be absent. */
  WireWriter string(int field, String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    return bytes(field, utf8, utf8.length);
  }

  WireWriter message(int field, WireWriter message) {
    return bytes(field, message.bytes, message.length);
  }

  /** Announces {@code size} bytes of payload, which follow the message written here. */
  WireWriter payload(int field, int size) {
    if (size != 0) {
      raw(WireReader.bytesTag(field));
      raw(size);
    }
    return this;
  }

  byte[] toByteArray() {
    return Arrays.copyOf(bytes, length);
  }

  private WireWriter bytes(int field, byte[] value, int size) {
    raw(WireReader.bytesTag(field));
    raw(size);
    ensure(size);
    System.arraycopy(value, 0, bytes, length, size);
    length += size;
    return this;
  }

  private void raw(long value) {
    ensure(10);
    long left = value;
    while ((left & ~0x7fL) != 0) {
      bytes[length++] = (byte) (left | 0x80);
      left >>>= 7;
    }
    bytes[length++] = (byte) left;
  }

  private void ensure(int room) {
    if (bytes.length - length < room) {
      bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, length + room));
    }
  }
}
