package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Handshake.INFO_BLOCK_SIZE;
import static dev.r3map.nbd.protocol.Handshake.INFO_DESCRIPTION;
import static dev.r3map.nbd.protocol.Handshake.INFO_EXPORT;
import static dev.r3map.nbd.protocol.Handshake.INFO_NAME;
import static dev.r3map.nbd.protocol.Handshake.MAX_STRING;
import static dev.r3map.nbd.protocol.Handshake.REPLY_HEADER;
import static dev.r3map.nbd.protocol.Handshake.REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.REP_ACK;
import static dev.r3map.nbd.protocol.Handshake.REP_INFO;
import static dev.r3map.nbd.protocol.Handshake.REP_META_CONTEXT;
import static dev.r3map.nbd.protocol.Handshake.REP_SERVER;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Writes the answers to one option. */
final class OptionReplies {
  private final Wire wire;
  private final int option;

  OptionReplies(Wire wire, int option) {
    this.wire = wire;
    this.option = option;
  }

  void ack() throws IOException {
    send(REP_ACK, ByteBuffer.allocate(0));
  }

  void error(int type, String message) throws IOException {
    send(type, Text.encode(message, MAX_STRING));
  }

  /** An export of the list. */
  void server(String name, String description) throws IOException {
    byte[] nameBytes = name.getBytes(StandardCharsets.UTF_8);
    byte[] descriptionBytes = description.getBytes(StandardCharsets.UTF_8);
    send(
        REP_SERVER,
        ByteBuffer.allocate(Integer.BYTES + nameBytes.length + descriptionBytes.length)
            .putInt(nameBytes.length)
            .put(nameBytes)
            .put(descriptionBytes)
            .flip());
  }

  void infoExport(long size, int flags) throws IOException {
    send(
        REP_INFO,
        ByteBuffer.allocate(12)
            .putShort((short) INFO_EXPORT)
            .putLong(size)
            .putShort((short) flags)
            .flip());
  }

  void infoName(String name) throws IOException {
    infoString(INFO_NAME, name);
  }

  void infoDescription(String description) throws IOException {
    infoString(INFO_DESCRIPTION, description);
  }

  void infoBlockSize(Export export) throws IOException {
    send(
        REP_INFO,
        ByteBuffer.allocate(14)
            .putShort((short) INFO_BLOCK_SIZE)
            .putInt(export.minimum())
            .putInt(export.preferred())
            .putInt(export.maximum())
            .flip());
  }

  void metaContext(MetaContext context) throws IOException {
    byte[] bytes = context.title().getBytes(StandardCharsets.UTF_8);
    send(
        REP_META_CONTEXT,
        ByteBuffer.allocate(Integer.BYTES + bytes.length).putInt(context.id()).put(bytes).flip());
  }

  private void infoString(int type, String value) throws IOException {
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    send(
        REP_INFO,
        ByteBuffer.allocate(Short.BYTES + bytes.length).putShort((short) type).put(bytes).flip());
  }

  private void send(int type, ByteBuffer data) throws IOException {
    ByteBuffer header =
        ByteBuffer.allocate(REPLY_HEADER)
            .putLong(REPLY_MAGIC)
            .putInt(option)
            .putInt(type)
            .putInt(data.remaining())
            .flip();
    wire.write(new ByteBuffer[] {header, data}, 2);
  }
}
