package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.FLAG_FIXED_NEWSTYLE;
import static dev.r3map.nbd.protocol.Handshake.FLAG_NO_ZEROES;
import static dev.r3map.nbd.protocol.Handshake.INFO_BLOCK_SIZE;
import static dev.r3map.nbd.protocol.Handshake.INFO_EXPORT;
import static dev.r3map.nbd.protocol.Handshake.MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPTION_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.OPT_EXPORT_NAME;
import static dev.r3map.nbd.protocol.Handshake.OPT_EXTENDED_HEADERS;
import static dev.r3map.nbd.protocol.Handshake.OPT_GO;
import static dev.r3map.nbd.protocol.Handshake.OPT_SET_META_CONTEXT;
import static dev.r3map.nbd.protocol.Handshake.OPT_STRUCTURED_REPLY;
import static dev.r3map.nbd.protocol.Handshake.REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.REP_ACK;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_UNSUP;
import static dev.r3map.nbd.protocol.Handshake.REP_INFO;
import static dev.r3map.nbd.protocol.Handshake.REP_META_CONTEXT;
import static dev.r3map.nbd.protocol.Transmission.CMD_DISC;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLUSH;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE_ZEROES;
import static dev.r3map.nbd.protocol.Transmission.EINVAL;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REQUEST_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.FLAG_HAS_FLAGS;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_FLUSH;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_TRIM;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_WRITE_ZEROES;
import static dev.r3map.nbd.protocol.Transmission.REPLY_ERROR;
import static dev.r3map.nbd.protocol.Transmission.REPLY_FLAG_DONE;
import static dev.r3map.nbd.protocol.Transmission.REPLY_NONE;
import static dev.r3map.nbd.protocol.Transmission.REPLY_OFFSET_DATA;
import static dev.r3map.nbd.protocol.Transmission.SIMPLE_REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Transmission.STRUCTURED_REPLY_MAGIC;

import dev.r3map.nbd.client.Mode;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** A server that is as good, as old or as bad as a test wants it. */
final class ScriptedServer implements AutoCloseable {
  static final int CONTEXT = 77;

  Mode best = Mode.EXTENDED;
  boolean hasGo = true;
  boolean hasContext = true;
  int handshakeFlags = FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES;
  int flags = FLAG_HAS_FLAGS | FLAG_SEND_FLUSH | FLAG_SEND_TRIM | FLAG_SEND_WRITE_ZEROES;
  int minimum = 1;
  int maximum = 32 << 20;
  volatile long size;

  /** Answers in place of the rest, if it returns true. */
  volatile @Nullable Script script;

  final ConcurrentLinkedQueue<Call> calls = new ConcurrentLinkedQueue<>();
  final List<Socket> sockets = new CopyOnWriteArrayList<>();

  private byte[] memory;
  private byte[] disk;
  private @Nullable ServerSocket listener;
  private @Nullable Thread accepting;
  private int port;

  /** What the peer does with a request. */
  interface Script {
    boolean answers(Call call, Replies out) throws IOException;
  }

  /** A request. */
  @SuppressWarnings("ArrayRecordComponent")
  record Call(int type, long cookie, long offset, long length, byte[] data) {}

  ScriptedServer(int size) {
    this.size = size;
    memory = new byte[size];
    disk = new byte[size];
  }

  ScriptedServer start() throws IOException {
    ServerSocket socket = new ServerSocket();
    socket.setReuseAddress(true);
    socket.bind(new java.net.InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    port = socket.getLocalPort();
    listener = socket;
    accepting = Thread.ofPlatform().daemon().start(() -> acceptAll(socket));
    return this;
  }

  URI uri() {
    return URI.create("nbd://127.0.0.1:" + port + "/x");
  }

  /** Power off: connections break, and what was not flushed is gone. */
  void crash() throws IOException {
    close();
    synchronized (this) {
      memory = disk.clone();
    }
  }

  synchronized byte[] bytes(int from, int to) {
    return Arrays.copyOfRange(memory, from, to);
  }

  private void acceptAll(ServerSocket from) {
    while (true) {
      Socket socket;
      try {
        socket = from.accept();
      } catch (IOException e) {
        return;
      }
      sockets.add(socket);
      Thread.ofVirtual().start(() -> serve(socket));
    }
  }

  private void serve(Socket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      DataInputStream in = new DataInputStream(socket.getInputStream());
      DataOutputStream out = new DataOutputStream(socket.getOutputStream());
      Mode mode = negotiate(in, out);
      while (serve(in, new Replies(out, mode))) {
        // The next one.
      }
    } catch (IOException e) {
      // The client went away, or the peer crashed.
      return;
    }
  }

  private Mode negotiate(DataInputStream in, DataOutputStream out) throws IOException {
    out.writeLong(MAGIC);
    out.writeLong(OPTION_MAGIC);
    out.writeShort(handshakeFlags);
    in.readInt();
    Mode mode = Mode.SIMPLE;
    while (true) {
      in.readLong();
      int option = in.readInt();
      byte[] data = in.readNBytes(in.readInt());
      switch (option) {
        case OPT_EXTENDED_HEADERS -> {
          boolean can = best == Mode.EXTENDED;
          mode = can ? Mode.EXTENDED : mode;
          reply(out, option, can ? REP_ACK : REP_ERR_UNSUP);
        }
        case OPT_STRUCTURED_REPLY -> {
          boolean can = best != Mode.SIMPLE;
          mode = can ? Mode.STRUCTURED : mode;
          reply(out, option, can ? REP_ACK : REP_ERR_UNSUP);
        }
        case OPT_SET_META_CONTEXT -> {
          if (hasContext) {
            byte[] name = "base:allocation".getBytes(StandardCharsets.US_ASCII);
            ByteBuffer context = ByteBuffer.allocate(4 + name.length).putInt(CONTEXT).put(name);
            reply(out, option, REP_META_CONTEXT, context.array());
          }
          reply(out, option, REP_ACK);
        }
        case OPT_GO -> {
          if (hasGo) {
            info(out);
            return mode;
          }
          reply(out, option, REP_ERR_UNSUP);
        }
        case OPT_EXPORT_NAME -> {
          if (!new String(data, StandardCharsets.UTF_8).equals("x")) {
            throw new IOException("unknown export");
          }
          out.writeLong(size);
          out.writeShort(flags);
          out.write(new byte[(handshakeFlags & FLAG_NO_ZEROES) == 0 ? 124 : 0]);
          return mode;
        }
        default -> reply(out, option, REP_ERR_UNSUP);
      }
    }
  }

  private void info(DataOutputStream out) throws IOException {
    ByteBuffer export = ByteBuffer.allocate(12).putShort((short) INFO_EXPORT).putLong(size);
    reply(out, OPT_GO, REP_INFO, export.putShort((short) flags).array());
    ByteBuffer sizes = ByteBuffer.allocate(14).putShort((short) INFO_BLOCK_SIZE).putInt(minimum);
    reply(out, OPT_GO, REP_INFO, sizes.putInt(Math.max(minimum, 512)).putInt(maximum).array());
    reply(out, OPT_GO, REP_ACK);
  }

  static void reply(DataOutputStream out, int option, int type, byte... data) throws IOException {
    out.writeLong(REPLY_MAGIC);
    out.writeInt(option);
    out.writeInt(type);
    out.writeInt(data.length);
    out.write(data);
  }

  private boolean serve(DataInputStream in, Replies out) throws IOException {
    boolean extended = in.readInt() == EXTENDED_REQUEST_MAGIC;
    in.readUnsignedShort();
    int type = in.readUnsignedShort();
    long cookie = in.readLong();
    long offset = in.readLong();
    long length = extended ? in.readLong() : Integer.toUnsignedLong(in.readInt());
    byte[] data = type == CMD_WRITE ? in.readNBytes((int) length) : new byte[0];
    Call call = new Call(type, cookie, offset, length, data);
    calls.add(call);
    Script first = script;
    if (type == CMD_DISC || (first != null && first.answers(call, out))) {
      return type != CMD_DISC;
    }
    boolean aligned = offset % minimum == 0 && (length % minimum == 0 || offset + length == size);
    if (!aligned || ((type == CMD_READ || type == CMD_WRITE) && length > maximum)) {
      out.error(call, EINVAL, "unaligned or too long");
      return true;
    }
    carryOut(call, out);
    return true;
  }

  private synchronized void carryOut(Call call, Replies out) throws IOException {
    int from = (int) call.offset;
    int to = (int) (call.offset + call.length);
    switch (call.type) {
      case CMD_READ -> {
        out.data(call, call.offset, Arrays.copyOfRange(memory, from, to), true);
        return;
      }
      case CMD_WRITE -> System.arraycopy(call.data, 0, memory, from, call.data.length);
      case CMD_WRITE_ZEROES -> Arrays.fill(memory, from, to, (byte) 0);
      case CMD_FLUSH -> disk = memory.clone();
      default -> {
        // Trimmed bytes may stay as they are.
      }
    }
    out.done(call);
  }

  @Override
  public void close() throws IOException {
    ServerSocket open = listener;
    Thread acceptor = accepting;
    if (open != null && acceptor != null) {
      open.close();
      joinQuietly(acceptor);
    }
    for (Socket socket : sockets) {
      socket.close();
    }
    sockets.clear();
  }

  /** The port is free once nobody waits at it any more. */
  private static void joinQuietly(Thread thread) {
    try {
      thread.join(10_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Replies in the form that was agreed on, and in every other. */
  record Replies(DataOutputStream out, Mode mode) {
    void chunk(int flags, int type, long cookie, long offset, byte... data) throws IOException {
      ByteBuffer head = ByteBuffer.allocate(32 + data.length);
      if (mode == Mode.EXTENDED) {
        head.putInt(EXTENDED_REPLY_MAGIC).putShort((short) flags).putShort((short) type);
        head.putLong(cookie).putLong(offset).putLong(data.length);
      } else {
        head.putInt(STRUCTURED_REPLY_MAGIC).putShort((short) flags).putShort((short) type);
        head.putLong(cookie).putInt(data.length);
      }
      head.put(data);
      raw(Arrays.copyOf(head.array(), head.position()));
    }

    void raw(byte... bytes) throws IOException {
      synchronized (out) {
        out.write(bytes);
      }
    }

    void simple(long cookie, int error, byte... data) throws IOException {
      raw(
          ByteBuffer.allocate(16 + data.length)
              .putInt(SIMPLE_REPLY_MAGIC)
              .putInt(error)
              .putLong(cookie)
              .put(data)
              .array());
    }

    void data(Call call, long offset, byte[] bytes, boolean last) throws IOException {
      if (mode == Mode.SIMPLE) {
        simple(call.cookie, 0, bytes);
        return;
      }
      byte[] all = ByteBuffer.allocate(8 + bytes.length).putLong(offset).put(bytes).array();
      chunk(last ? REPLY_FLAG_DONE : 0, REPLY_OFFSET_DATA, call.cookie, call.offset, all);
    }

    void done(Call call) throws IOException {
      if (mode == Mode.SIMPLE) {
        simple(call.cookie, 0);
      } else {
        chunk(REPLY_FLAG_DONE, REPLY_NONE, call.cookie, call.offset);
      }
    }

    void error(Call call, int error, String text) throws IOException {
      if (mode == Mode.SIMPLE) {
        simple(call.cookie, error);
        return;
      }
      byte[] said = text.getBytes(StandardCharsets.UTF_8);
      ByteBuffer data = ByteBuffer.allocate(6 + said.length).putInt(error);
      data.putShort((short) said.length).put(said);
      chunk(REPLY_FLAG_DONE, REPLY_ERROR, call.cookie, call.offset, data.array());
    }
  }
}
