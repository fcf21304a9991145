package dev.r3map.nbd.client;

import static dev.r3map.nbd.protocol.Handshake.OPTION_HEADER;
import static dev.r3map.nbd.protocol.Handshake.OPTION_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.REPLY_HEADER;
import static dev.r3map.nbd.protocol.Handshake.REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.REP_ERROR;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Options and their replies, one at a time. */
final class OptionWire {
  /** More than any reply needs: the longest hold two strings of 4096 bytes. */
  private static final int LONGEST_REPLY = 64 << 10;

  private final Wire wire;
  private int asked;

  OptionWire(Wire wire) {
    this.wire = wire;
  }

  /** The answer to an option, or a part of it. */
  @SuppressWarnings("ArrayRecordComponent")
  record Reply(int type, byte[] bytes) {

    boolean isError() {
      return (type & REP_ERROR) != 0;
    }

    /** The data, of which there must be so much. */
    ByteBuffer data(int least) throws MalformedException {
      ByteBuffer data = ByteBuffer.wrap(bytes);
      require(data, least);
      return data;
    }

    /** What the server says about a refusal, to be appended to what we say. */
    String inParentheses() {
      String text = isError() ? Texts.clean(bytes) : "";
      return text.isEmpty() ? "" : " (" + text + ")";
    }
  }

  /**
   * @param data filled up to its position
   */
  void ask(int option, ByteBuffer data) throws IOException {
    asked = option;
    data.flip();
    send(
        ByteBuffer.allocate(OPTION_HEADER + data.remaining())
            .putLong(OPTION_MAGIC)
            .putInt(option)
            .putInt(data.remaining())
            .put(data));
  }

  Reply reply() throws IOException {
    ByteBuffer header = receive(REPLY_HEADER);
    if (header.getLong() != REPLY_MAGIC) {
      throw new MalformedException("what came is no reply to an option");
    }
    int option = header.getInt();
    if (option != asked) {
      throw new MalformedException(
          "a reply to option %d, where %d was asked".formatted(option, asked));
    }
    int type = header.getInt();
    long length = Integer.toUnsignedLong(header.getInt());
    if (length > LONGEST_REPLY) {
      throw new MalformedException("a reply of %d bytes to an option".formatted(length));
    }
    return new Reply(type, receive((int) length).array());
  }

  void send(ByteBuffer message) throws IOException {
    wire.write(new ByteBuffer[] {message.flip()}, 1);
  }

  ByteBuffer receive(int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(length);
    wire.readFully(buffer);
    return buffer.flip();
  }

  static void require(ByteBuffer data, long least) throws MalformedException {
    if (data.remaining() < least) {
      throw new MalformedException("a reply to an option that is too short");
    }
  }
}
