package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.FLAG_FIXED_NEWSTYLE;
import static dev.r3map.nbd.protocol.Handshake.FLAG_NO_ZEROES;
import static dev.r3map.nbd.protocol.Handshake.MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPTION_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPT_GO;
import static dev.r3map.nbd.protocol.Handshake.OPT_STARTTLS;
import static dev.r3map.nbd.protocol.Handshake.REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.REP_ACK;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REQUEST_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.REPLY_OFFSET_DATA;
import static dev.r3map.nbd.protocol.Transmission.REPLY_OFFSET_HOLE;
import static dev.r3map.nbd.protocol.Transmission.REQUEST_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.SIMPLE_REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.STRUCTURED_REPLY_MAGIC;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/** Speaks the protocol word by word, also in ways that no good client would. */
final class RawClient implements AutoCloseable {
  /** What a server may take to answer. */
  private static final int PATIENCE_MILLIS = 10_000;

  Socket socket;
  DataInputStream in;
  DataOutputStream out;

  /** The answer to an option. */
  @SuppressWarnings("ArrayRecordComponent")
  record Reply(int type, byte[] data) {
    ByteBuffer buffer() {
      return ByteBuffer.wrap(data);
    }

    String text() {
      return new String(data, StandardCharsets.UTF_8);
    }
  }

  /** A simple reply without its data, or a chunk. */
  @SuppressWarnings("ArrayRecordComponent")
  record Chunk(int flags, int type, int error, long cookie, byte[] data) {
    ByteBuffer buffer() {
      return ByteBuffer.wrap(data);
    }
  }

  private RawClient(int port) throws IOException {
    socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(PATIENCE_MILLIS);
    in = new DataInputStream(socket.getInputStream());
    out = new DataOutputStream(socket.getOutputStream());
  }

  /** Goes on encrypted, by the JDK's own socket for that. */
  void startTls(SSLContext context) throws IOException {
    ask(OPT_STARTTLS);
    ack();
    SSLSocket encrypted =
        (SSLSocket) context.getSocketFactory().createSocket(socket, "localhost", 0, true);
    encrypted.startHandshake();
    socket = encrypted;
    in = new DataInputStream(socket.getInputStream());
    out = new DataOutputStream(socket.getOutputStream());
  }

  private RawClient(InputStream in, OutputStream out) {
    this.socket = new Socket();
    this.in = new DataInputStream(in);
    this.out = new DataOutputStream(out);
  }

  /** Talks through these; nobody has said anything yet. */
  static RawClient through(InputStream in, OutputStream out) {
    return new RawClient(in, out);
  }

  /** Connects and says nothing. */
  static RawClient silent(NbdServer server) throws IOException {
    return new RawClient(server.port());
  }

  /** Greets as a client of today. */
  static RawClient greeted(NbdServer server) throws IOException {
    return greeted(server, FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
  }

  static RawClient greeted(NbdServer server, int flags) throws IOException {
    RawClient client = new RawClient(server.port());
    client.greet(flags);
    return client;
  }

  void greet(int flags) throws IOException {
    if (in.readLong() != MAGIC || in.readLong() != OPTION_MAGIC) {
      throw new IOException("no NBD server");
    }
    in.readUnsignedShort();
    out.writeInt(flags);
  }

  /** Has chosen these options and the default export. */
  static RawClient ready(NbdServer server, int... options) throws IOException {
    RawClient client = greeted(server);
    for (int option : options) {
      client.ask(option);
      client.ack();
    }
    client.go("");
    return client;
  }

  void go(String name) throws IOException {
    ask(OPT_GO, info(name));
    ack();
  }

  /** The data of INFO and GO. */
  static byte[] info(String name, int... wanted) {
    byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
    ByteBuffer data =
        ByteBuffer.allocate(6 + bytes.length + 2 * wanted.length).putInt(bytes.length).put(bytes);
    data.putShort((short) wanted.length);
    for (int type : wanted) {
      data.putShort((short) type);
    }
    return data.array();
  }

  /** The data of LIST and SET META CONTEXT. */
  static byte[] contexts(String name, String... queries) {
    ByteBuffer data = ByteBuffer.allocate(4096);
    data.putInt(name.length()).put(name.getBytes(StandardCharsets.UTF_8)).putInt(queries.length);
    for (String query : queries) {
      data.putInt(query.length()).put(query.getBytes(StandardCharsets.UTF_8));
    }
    byte[] all = new byte[data.position()];
    data.flip().get(all);
    return all;
  }

  void ask(int option, byte... data) throws IOException {
    out.writeLong(OPTION_MAGIC);
    out.writeInt(option);
    out.writeInt(data.length);
    out.write(data);
  }

  Reply reply() throws IOException {
    if (in.readLong() != REPLY_MAGIC) {
      throw new IOException("no reply to an option");
    }
    in.readInt();
    int type = in.readInt();
    return new Reply(type, in.readNBytes(in.readInt()));
  }

  /** All replies to an option, up to the last one. */
  List<Reply> replies() throws IOException {
    List<Reply> all = new ArrayList<>();
    do {
      all.add(reply());
    } while (all.getLast().type() > REP_ACK);
    return all;
  }

  void ack() throws IOException {
    Reply last = replies().getLast();
    if (last.type() != REP_ACK) {
      throw new IOException("refused: " + Integer.toHexString(last.type()) + " " + last.text());
    }
  }

  void request(int type, int flags, long cookie, long offset, int length) throws IOException {
    out.writeInt(REQUEST_MAGIC);
    out.writeShort(flags);
    out.writeShort(type);
    out.writeLong(cookie);
    out.writeLong(offset);
    out.writeInt(length);
  }

  void extended(int type, int flags, long cookie, long offset, long length) throws IOException {
    out.writeInt(EXTENDED_REQUEST_MAGIC);
    out.writeShort(flags);
    out.writeShort(type);
    out.writeLong(cookie);
    out.writeLong(offset);
    out.writeLong(length);
  }

  Chunk chunk() throws IOException {
    int magic = in.readInt();
    return switch (magic) {
      case SIMPLE_REPLY_MAGIC -> {
        int error = in.readInt();
        yield new Chunk(1, 0, error, in.readLong(), new byte[0]);
      }
      case STRUCTURED_REPLY_MAGIC -> {
        int flags = in.readUnsignedShort();
        int type = in.readUnsignedShort();
        long cookie = in.readLong();
        yield whole(flags, type, cookie, in.readNBytes(in.readInt()));
      }
      case EXTENDED_REPLY_MAGIC -> {
        int flags = in.readUnsignedShort();
        int type = in.readUnsignedShort();
        long cookie = in.readLong();
        in.readLong();
        yield whole(flags, type, cookie, in.readNBytes((int) in.readLong()));
      }
      default -> throw new IOException("no reply: " + Integer.toHexString(magic));
    };
  }

  private static Chunk whole(int flags, int type, long cookie, byte[] data) {
    int error = (type & 1 << 15) == 0 ? 0 : ByteBuffer.wrap(data).getInt();
    return new Chunk(flags, type, error, cookie, data);
  }

  /** Puts the chunks of one read together. */
  byte[] assemble(long offset, int length) throws IOException {
    byte[] all = new byte[length];
    int covered = 0;
    Chunk chunk;
    do {
      chunk = chunk();
      ByteBuffer data = chunk.buffer();
      int at = (int) (data.getLong() - offset);
      if (chunk.type() == REPLY_OFFSET_HOLE) {
        covered += data.getInt();
      } else {
        if (chunk.type() != REPLY_OFFSET_DATA) {
          throw new IOException("not a chunk of a read: " + chunk);
        }
        covered += data.remaining();
        data.get(all, at, data.remaining());
      }
    } while (chunk.flags() == 0);
    if (covered != length) {
      throw new IOException(covered + " bytes of " + length);
    }
    return all;
  }

  /** Whether the server has ended the connection. */
  boolean isEnded() throws IOException {
    try {
      return in.read() < 0;
    } catch (java.net.SocketException e) {
      return true;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
