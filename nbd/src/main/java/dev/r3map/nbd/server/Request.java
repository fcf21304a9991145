package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_PAYLOAD_LEN;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REQUEST_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.REQUEST_MAGIC;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** What a client asks for; its payload is not part of it. */
final class Request {
  int flags;
  int type;
  long cookie;

  /** Unsigned. */
  long offset;

  /** Unsigned. */
  long length;

  /** What a block status is about. */
  List<MetaContext> contexts = List.of();

  /** Takes a header off a buffer that has one. */
  void parse(ByteBuffer in, boolean extended) throws IOException {
    if (in.getInt() != (extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC)) {
      throw new IOException("what came is no request");
    }
    flags = Short.toUnsignedInt(in.getShort());
    type = Short.toUnsignedInt(in.getShort());
    cookie = in.getLong();
    offset = in.getLong();
    length = extended ? in.getLong() : Integer.toUnsignedLong(in.getInt());
  }

  /** Bytes that follow the header; unsigned. */
  long payload(boolean extended) {
    boolean follows = extended ? has(CMD_FLAG_PAYLOAD_LEN) : type == CMD_WRITE;
    return follows ? length : 0;
  }

  boolean has(int flag) {
    return (flags & flag) != 0;
  }

  Request copy() {
    Request copy = new Request();
    copy.flags = flags;
    copy.type = type;
    copy.cookie = cookie;
    copy.offset = offset;
    copy.length = length;
    copy.contexts = contexts;
    return copy;
  }
}
