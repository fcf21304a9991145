package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.REPLY_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.REPLY_BLOCK_STATUS_EXT;
import static dev.r3map.nbd.protocol.Transmission.REPLY_ERROR;
import static dev.r3map.nbd.protocol.Transmission.REPLY_ERROR_OFFSET;
import static dev.r3map.nbd.protocol.Transmission.REPLY_FLAG_DONE;
import static dev.r3map.nbd.protocol.Transmission.REPLY_NONE;
import static dev.r3map.nbd.protocol.Transmission.REPLY_OFFSET_DATA;
import static dev.r3map.nbd.protocol.Transmission.REPLY_OFFSET_HOLE;
import static dev.r3map.nbd.protocol.Transmission.SIMPLE_REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.STRUCTURED_REPLY_MAGIC;

import java.nio.ByteBuffer;
import java.util.List;

/** Puts replies into bytes, in the form that a connection has agreed on. */
final class ReplyEncoder {
  /** The most that the head of a chunk takes: a header of 32 bytes, an offset and a length. */
  static final int CHUNK = 48;

  /** The most that an error takes. */
  static final int ERROR = 512;

  private static final int MAX_TEXT = 400;

  private final boolean structured;
  private final boolean extended;

  ReplyEncoder(Agreed agreed) {
    structured = agreed.structured();
    extended = agreed.extended();
  }

  /** All went well, and there is nothing to send. */
  void done(ByteBuffer out, Request request) {
    if (extended) {
      chunk(out, request, REPLY_FLAG_DONE, REPLY_NONE, 0);
    } else {
      simple(out, request, 0);
    }
  }

  /** It failed; nothing was sent for this request. */
  void error(ByteBuffer out, Request request, int error, String message) {
    if (!structured) {
      simple(out, request, error);
      return;
    }
    ByteBuffer text = Text.encode(message, MAX_TEXT);
    int length = text.remaining();
    chunk(out, request, REPLY_FLAG_DONE, REPLY_ERROR, Integer.BYTES + Short.BYTES + length);
    out.putInt(error).putShort((short) length).put(text);
  }

  /** The same, where it is known which byte is the first that could not be had. */
  void errorAt(ByteBuffer out, Request request, int error, String message, long offset) {
    if (!structured) {
      simple(out, request, error);
      return;
    }
    ByteBuffer text = Text.encode(message, MAX_TEXT);
    int length = text.remaining();
    int all = Integer.BYTES + Short.BYTES + length + Long.BYTES;
    chunk(out, request, REPLY_FLAG_DONE, REPLY_ERROR_OFFSET, all);
    out.putInt(error).putShort((short) length).put(text).putLong(offset);
  }

  /** What comes before bytes that were read. */
  void data(ByteBuffer out, Request request, long offset, int length, boolean last) {
    if (!structured) {
      simple(out, request, 0);
      return;
    }
    chunk(out, request, last ? REPLY_FLAG_DONE : 0, REPLY_OFFSET_DATA, Long.BYTES + (long) length);
    out.putLong(offset);
  }

  /** Zeros that were read, and do not travel. Only where replies are structured. */
  void hole(ByteBuffer out, Request request, long offset, int length, boolean last) {
    chunk(out, request, last ? REPLY_FLAG_DONE : 0, REPLY_OFFSET_HOLE, Long.BYTES + Integer.BYTES);
    out.putLong(offset).putInt(length);
  }

  /** How many bytes {@link #blockStatus} takes. */
  int blockStatusLength(int runs) {
    return CHUNK + runs * (extended ? 16 : 8);
  }

  /** What was asked about one context; a reply has a chunk for each of them. */
  void blockStatus(
      ByteBuffer out, Request request, MetaContext context, List<Descriptor> runs, boolean last) {
    int flags = last ? REPLY_FLAG_DONE : 0;
    if (extended) {
      long length = 2L * Integer.BYTES + 16L * runs.size();
      chunk(out, request, flags, REPLY_BLOCK_STATUS_EXT, length);
      out.putInt(context.id()).putInt(runs.size());
      for (Descriptor run : runs) {
        out.putLong(run.length()).putLong(run.state());
      }
      return;
    }
    chunk(out, request, flags, REPLY_BLOCK_STATUS, Integer.BYTES + 8L * runs.size());
    out.putInt(context.id());
    for (Descriptor run : runs) {
      out.putInt((int) run.length()).putInt(run.state());
    }
  }

  private static void simple(ByteBuffer out, Request request, int error) {
    out.putInt(SIMPLE_REPLY_MAGIC).putInt(error).putLong(request.cookie);
  }

  private void chunk(ByteBuffer out, Request request, int flags, int type, long length) {
    out.putInt(extended ? EXTENDED_REPLY_MAGIC : STRUCTURED_REPLY_MAGIC)
        .putShort((short) flags)
        .putShort((short) type)
        .putLong(request.cookie);
    if (extended) {
      out.putLong(request.offset).putLong(length);
    } else {
      out.putInt((int) length);
    }
  }
}
