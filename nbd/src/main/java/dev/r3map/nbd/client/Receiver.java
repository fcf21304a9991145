package dev.r3map.nbd.client;

import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REPLY_HEADER;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.REPLY_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.REPLY_BLOCK_STATUS_EXT;
import static dev.r3map.nbd.protocol.Transmission.REPLY_FLAG_DONE;
import static dev.r3map.nbd.protocol.Transmission.REPLY_NONE;
import static dev.r3map.nbd.protocol.Transmission.REPLY_OFFSET_DATA;
import static dev.r3map.nbd.protocol.Transmission.REPLY_OFFSET_HOLE;
import static dev.r3map.nbd.protocol.Transmission.SIMPLE_REPLY_HEADER;
import static dev.r3map.nbd.protocol.Transmission.SIMPLE_REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.STATE_ZERO;
import static dev.r3map.nbd.protocol.Transmission.STRUCTURED_REPLY_HEADER;
import static dev.r3map.nbd.protocol.Transmission.STRUCTURED_REPLY_MAGIC;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * Takes replies apart and puts what they carry where it belongs. Believes nothing: what does not
 * fit a request ends the connection, and nothing is allocated for a length.
 */
final class Receiver {
  /** Every kind of error has these first. */
  private static final int ERROR_BIT = 1 << 15;

  private static final int ERROR_HEADER = 6;
  private static final int LONGEST_TEXT = 4096;

  /** "A server SHOULD NOT send more than 2^20 block status descriptors". */
  private static final long MOST_DESCRIPTORS = 1 << 20;

  private static final int SMALL_DESCRIPTOR = 8;
  private static final int LARGE_DESCRIPTOR = 16;

  private final Input input;
  private final Terms terms;
  private final Slots slots;

  Receiver(Input input, Terms terms, Slots slots) {
    this.input = input;
    this.terms = terms;
    this.slots = slots;
  }

  /** Takes one reply, or one chunk of one. */
  void receive() throws IOException {
    // The shortest header first: nobody may wait for bytes that never come.
    ByteBuffer header = input.take(SIMPLE_REPLY_HEADER);
    int magic = header.getInt(header.position());
    if (magic == SIMPLE_REPLY_MAGIC && terms.mode() != Mode.EXTENDED) {
      simple();
    } else if (magic == STRUCTURED_REPLY_MAGIC && terms.mode() == Mode.STRUCTURED) {
      structured();
    } else if (magic == EXTENDED_REPLY_MAGIC && terms.mode() == Mode.EXTENDED) {
      extended();
    } else {
      throw new MalformedException("what came is no reply: 0x%08x".formatted(magic));
    }
  }

  private void simple() throws IOException {
    ByteBuffer header = input.take(SIMPLE_REPLY_HEADER);
    header.getInt();
    int error = header.getInt();
    Request request = slots.find(header.getLong());
    if (error != 0) {
      request.refused(error, "");
    } else if (request.type == CMD_READ) {
      if (terms.mode() != Mode.SIMPLE) {
        throw new MalformedException("a simple reply to a read");
      }
      input.fill(request.space(request.offset, request.length));
    }
    finish(request);
  }

  private void structured() throws IOException {
    ByteBuffer header = input.take(STRUCTURED_REPLY_HEADER);
    header.getInt();
    int flags = header.getShort();
    int type = Short.toUnsignedInt(header.getShort());
    Request request = slots.find(header.getLong());
    chunk(request, flags, type, Integer.toUnsignedLong(header.getInt()));
  }

  private void extended() throws IOException {
    ByteBuffer header = input.take(EXTENDED_REPLY_HEADER);
    header.getInt();
    int flags = header.getShort();
    int type = Short.toUnsignedInt(header.getShort());
    Request request = slots.find(header.getLong());
    long offset = header.getLong();
    if (offset != request.offset) {
      throw new MalformedException("a reply with the offset of another request");
    }
    chunk(request, flags, type, header.getLong());
  }

  private void chunk(Request request, int flags, int type, long length) throws IOException {
    boolean done = (flags & REPLY_FLAG_DONE) != 0;
    switch (type) {
      case REPLY_NONE -> require(done && length == 0, type, length);
      case REPLY_OFFSET_DATA -> {
        require(length > Long.BYTES, type, length);
        long at = input.take(Long.BYTES).getLong();
        input.fill(request.space(at, length - Long.BYTES));
      }
      case REPLY_OFFSET_HOLE -> {
        require(length == Long.BYTES + Integer.BYTES, type, length);
        ByteBuffer hole = input.take(Long.BYTES + Integer.BYTES);
        long at = hole.getLong();
        long bytes = Integer.toUnsignedLong(hole.getInt());
        MemorySegment.ofBuffer(request.space(at, bytes)).fill((byte) 0);
      }
      case REPLY_BLOCK_STATUS -> {
        long descriptors = (length - Integer.BYTES) / SMALL_DESCRIPTOR;
        require(length == Integer.BYTES + descriptors * SMALL_DESCRIPTOR, type, length);
        checkContext(request, input.take(Integer.BYTES).getInt());
        status(request, descriptors, false);
      }
      case REPLY_BLOCK_STATUS_EXT -> {
        require(length >= 2 * Integer.BYTES, type, length);
        ByteBuffer head = input.take(2 * Integer.BYTES);
        checkContext(request, head.getInt());
        long descriptors = Integer.toUnsignedLong(head.getInt());
        require(length == 2 * Integer.BYTES + descriptors * LARGE_DESCRIPTOR, type, length);
        status(request, descriptors, true);
      }
      default -> {
        require((type & ERROR_BIT) != 0, type, length);
        error(request, type, length);
      }
    }
    if (done) {
      finish(request);
    }
  }

  private void checkContext(Request request, int context) throws MalformedException {
    Integer ours = terms.context();
    if (ours == null || ours != context) {
      throw new MalformedException("a block status of a context that was not chosen");
    }
    request.statusComes();
  }

  private void status(Request request, long descriptors, boolean wide) throws IOException {
    if (descriptors < 1 || descriptors > MOST_DESCRIPTORS) {
      throw new MalformedException("a block status with %d runs".formatted(descriptors));
    }
    for (long i = 0; i < descriptors; i++) {
      ByteBuffer one = input.take(wide ? LARGE_DESCRIPTOR : SMALL_DESCRIPTOR);
      long bytes = wide ? one.getLong() : Integer.toUnsignedLong(one.getInt());
      long state = wide ? one.getLong() : one.getInt();
      // A hole of unknown content is data to us; what reads as zeros need not travel.
      request.status(bytes, (state & STATE_ZERO) != 0);
    }
  }

  private void error(Request request, int type, long length) throws IOException {
    require(length >= ERROR_HEADER && length <= 2 * LONGEST_TEXT, type, length);
    ByteBuffer head = input.take(ERROR_HEADER);
    int error = head.getInt();
    int said = Short.toUnsignedInt(head.getShort());
    require(error != 0 && said <= length - ERROR_HEADER, type, length);
    byte[] text = new byte[said];
    input.take(said).get(text);
    // The place of the error, and whatever later kinds of error add.
    input.skip(length - ERROR_HEADER - said);
    request.refused(error, Texts.clean(text));
  }

  private void finish(Request request) throws MalformedException {
    request.finished();
    if (request.replied()) {
      slots.finish(request);
    }
  }

  private static void require(boolean good, int type, long length) throws MalformedException {
    if (!good) {
      throw new MalformedException("a chunk of type %d and %d bytes".formatted(type, length));
    }
  }
}
