package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.nbd.FuzzedRequest.Terms;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.Set;
import java.util.function.LongFunction;

/** What has come of the reply to one request; every piece of it is held against the rules. */
final class FuzzedReply {
  private static final Set<Integer> ERRORS =
      Set.of(EPERM, EIO, ENOMEM, EINVAL, ENOSPC, EOVERFLOW, ENOTSUP, ESHUTDOWN);

  final FuzzedRequest request;
  private final Terms terms;

  /** What was read. */
  byte[] data = new byte[0];

  int error;
  boolean done;
  private final BitSet covered = new BitSet();
  private int contents;

  FuzzedReply(FuzzedRequest request, Terms terms) {
    this.request = request;
    this.terms = terms;
  }

  /** Takes one reply or chunk off the stream, and gives what it belongs to. */
  static FuzzedReply next(DataInputStream in, Terms terms, LongFunction<FuzzedReply> byCookie)
      throws IOException {
    int magic = in.readInt();
    if (magic == SIMPLE_REPLY_MAGIC) {
      assertThat(terms.extended()).as("a simple reply with extended headers").isFalse();
      int error = in.readInt();
      FuzzedReply reply = byCookie.apply(in.readLong());
      reply.simple(error, in);
      return reply;
    }
    assertThat(magic).isEqualTo(terms.extended() ? EXTENDED_REPLY_MAGIC : STRUCTURED_REPLY_MAGIC);
    assertThat(terms.structured()).as("a chunk without structured replies").isTrue();
    int flags = in.readUnsignedShort();
    int type = in.readUnsignedShort();
    FuzzedReply reply = byCookie.apply(in.readLong());
    if (terms.extended()) {
      assertThat(in.readLong()).isEqualTo(reply.request.offset());
    }
    long length = terms.extended() ? in.readLong() : Integer.toUnsignedLong(in.readInt());
    assertThat(length).isLessThan(1 << 26);
    reply.chunk(flags, type, ByteBuffer.wrap(in.readNBytes((int) length)));
    return reply;
  }

  private void simple(int code, DataInputStream in) throws IOException {
    open();
    done = true;
    error = code;
    boolean carries = request.type() == CMD_READ;
    assertThat(terms.structured() && carries).as("a simple reply to a read").isFalse();
    if (code != 0) {
      assertThat(code).isIn(ERRORS);
    } else if (carries) {
      data = in.readNBytes((int) request.length());
      covered.set(0, data.length);
    }
  }

  private void chunk(int flags, int type, ByteBuffer payload) throws IOException {
    open();
    assertThat(flags & ~REPLY_FLAG_DONE).isZero();
    done = (flags & REPLY_FLAG_DONE) != 0;
    switch (type) {
      case REPLY_NONE -> {
        assertThat(done).isTrue();
        assertThat(payload.remaining()).isZero();
      }
      case REPLY_OFFSET_DATA -> {
        int at = begin(payload.getLong(), payload.remaining());
        payload.get(data, at, payload.remaining());
      }
      case REPLY_OFFSET_HOLE -> {
        long offset = payload.getLong();
        begin(offset, payload.getInt());
        assertThat(payload.hasRemaining()).isFalse();
      }
      case REPLY_BLOCK_STATUS, REPLY_BLOCK_STATUS_EXT -> status(type, payload);
      case REPLY_ERROR -> {
        error = payload.getInt();
        assertThat(error).isIn(ERRORS);
        assertThat(Short.toUnsignedInt(payload.getShort())).isEqualTo(payload.remaining());
        assertThat(StandardCharsets.UTF_8.newDecoder().decode(payload).toString()).isNotEmpty();
      }
      case REPLY_ERROR_OFFSET -> {
        error = payload.getInt();
        assertThat(error).isIn(ERRORS);
        int length = Short.toUnsignedInt(payload.getShort());
        assertThat(payload.remaining()).isEqualTo(length + Long.BYTES);
        begin(payload.getLong(payload.position() + length), 1);
      }
      default -> throw new AssertionError("a chunk of type " + type);
    }
  }

  private void open() {
    assertThat(done).as("a second reply").isFalse();
  }

  private int begin(long offset, int length) {
    assertThat(request.type()).isEqualTo(CMD_READ);
    if (data.length == 0) {
      data = new byte[(int) request.length()];
    }
    int at = (int) (offset - request.offset());
    assertThat(length).isPositive();
    assertThat(at).isBetween(0, data.length - length);
    assertThat(covered.get(at, at + length).isEmpty()).as("the same bytes twice").isTrue();
    covered.set(at, at + length);
    contents++;
    return at;
  }

  private void status(int type, ByteBuffer payload) {
    assertThat(request.type()).isEqualTo(CMD_BLOCK_STATUS);
    assertThat(type).isEqualTo(terms.extended() ? REPLY_BLOCK_STATUS_EXT : REPLY_BLOCK_STATUS);
    assertThat(payload.getInt()).isEqualTo(1);
    int size = terms.extended() ? 16 : 8;
    int count = terms.extended() ? payload.getInt() : payload.remaining() / size;
    assertThat(count).isPositive();
    assertThat(payload.remaining()).isEqualTo(count * size);
    if (request.has(CMD_FLAG_REQ_ONE)) {
      assertThat(count).isEqualTo(1);
    }
    long told = 0;
    for (int i = 0; i < count; i++) {
      assertThat(told).isLessThan(request.effect());
      long length = terms.extended() ? payload.getLong() : Integer.toUnsignedLong(payload.getInt());
      long state = terms.extended() ? payload.getLong() : payload.getInt();
      assertThat(length).isPositive();
      assertThat(length % terms.minimum() == 0 || request.offset() + told + length == terms.size())
          .isTrue();
      assertThat(state).isIn(0L, (long) (STATE_HOLE | STATE_ZERO));
      told += length;
    }
    assertThat(told).isLessThanOrEqualTo(request.effect());
    contents++;
  }

  /** Whether all has come that a success needs. */
  void checkComplete() {
    switch (request.type()) {
      case CMD_READ -> {
        assertThat(covered.cardinality()).isEqualTo((int) request.length());
        if (request.has(CMD_FLAG_DF)) {
          assertThat(contents).isEqualTo(1);
        }
      }
      case CMD_BLOCK_STATUS -> assertThat(contents).isEqualTo(1);
      default -> assertThat(contents).isZero();
    }
  }
}
