package dev.r3map.it.nbd.suite;

import static dev.r3map.nbd.protocol.Handshake.INFO_EXPORT;
import static dev.r3map.nbd.protocol.Handshake.OPTION_HEADER;
import static dev.r3map.nbd.protocol.Handshake.OPT_EXPORT_NAME;
import static dev.r3map.nbd.protocol.Handshake.OPT_GO;
import static dev.r3map.nbd.protocol.Handshake.OPT_INFO;
import static dev.r3map.nbd.protocol.Handshake.REPLY_HEADER;
import static dev.r3map.nbd.protocol.Handshake.REPLY_MAGIC;
import static dev.r3map.nbd.protocol.Handshake.REP_ACK;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_UNSUP;
import static dev.r3map.nbd.protocol.Handshake.REP_INFO;
import static dev.r3map.nbd.protocol.Handshake.ZEROES;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Set;

/**
 * Stands between a client and our server, and makes the server look less able than it is: it takes
 * transmission flags away and refuses options. After the handshake it only passes bytes on. Owns
 * both sockets.
 */
final class HandshakeEditor implements Runnable {
  private static final int FLAGS_OF_INFO = 10;
  private static final int PIECE = 1 << 20;

  private final SocketChannel client;
  private final SocketChannel server;
  private final OpenedExports exports;
  private final Set<Integer> refused;
  private final int offered;

  /**
   * @param refused options that the server shall not know
   * @param offered of the flags that the server greets with
   */
  HandshakeEditor(
      SocketChannel client,
      SocketChannel server,
      OpenedExports exports,
      Set<Integer> refused,
      int offered) {
    this.client = client;
    this.server = server;
    this.exports = exports;
    this.refused = refused;
    this.offered = offered;
  }

  @Override
  public void run() {
    try (client;
        server) {
      if (negotiate()) {
        Thread back = Thread.ofPlatform().daemon().start(() -> pass(server, client));
        pass(client, server);
        back.join();
      }
    } catch (IOException e) {
      System.err.println("nbdkit: the handshake ended: " + e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether there is anything to follow. */
  private boolean negotiate() throws IOException {
    ByteBuffer greeting = receive(server, 2 * Long.BYTES + Short.BYTES);
    int last = 2 * Long.BYTES;
    send(client, greeting.putShort(last, (short) (greeting.getShort(last) & offered)));
    ByteBuffer flags = receive(client, Integer.BYTES);
    boolean zeroes = (flags.getInt(0) & 2) == 0;
    send(server, flags);
    while (true) {
      ByteBuffer option = receive(client, OPTION_HEADER);
      int type = option.getInt(Long.BYTES);
      ByteBuffer data = receive(client, option.getInt(Long.BYTES + Integer.BYTES));
      if (refused.contains(type)) {
        send(client, unsupported(type));
        continue;
      }
      send(server, option);
      send(server, data);
      if (type == OPT_EXPORT_NAME) {
        ByteBuffer chosen = receive(server, Long.BYTES + Short.BYTES + (zeroes ? ZEROES : 0));
        edit(chosen, Long.BYTES, StandardCharsets.UTF_8.decode(data.rewind()).toString());
        send(client, chosen);
        return true;
      }
      if (answer(type, data) == REP_ACK && type == OPT_GO) {
        return true;
      }
    }
  }

  /** Passes all replies to an option on, and returns the type of the last one. */
  private int answer(int option, ByteBuffer asked) throws IOException {
    while (true) {
      ByteBuffer header = receive(server, REPLY_HEADER);
      int type = header.getInt(Long.BYTES + Integer.BYTES);
      ByteBuffer data = receive(server, header.getInt(Long.BYTES + 2 * Integer.BYTES));
      boolean info = option == OPT_INFO || option == OPT_GO;
      if (info && type == REP_INFO && data.getShort(0) == INFO_EXPORT) {
        byte[] name = new byte[asked.getInt(0)];
        asked.get(Integer.BYTES, name);
        edit(data, FLAGS_OF_INFO, new String(name, StandardCharsets.UTF_8));
      }
      send(client, header);
      send(client, data);
      if (type == REP_ACK || type < 0) {
        return type;
      }
    }
  }

  private void edit(ByteBuffer reply, int at, String name) throws IOException {
    int flags = Short.toUnsignedInt(reply.getShort(at));
    reply.putShort(at, (short) exports.features(name).apply(flags));
  }

  private static ByteBuffer unsupported(int option) {
    return ByteBuffer.allocate(REPLY_HEADER)
        .putLong(REPLY_MAGIC)
        .putInt(option)
        .putInt(REP_ERR_UNSUP)
        .putInt(0)
        .flip();
  }

  private static ByteBuffer receive(SocketChannel from, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(length);
    while (buffer.hasRemaining()) {
      if (from.read(buffer) < 0) {
        throw new EOFException("no more comes");
      }
    }
    return buffer.flip();
  }

  private static void send(SocketChannel to, ByteBuffer bytes) throws IOException {
    bytes.rewind();
    while (bytes.hasRemaining()) {
      to.write(bytes);
    }
  }

  private static void pass(SocketChannel from, SocketChannel to) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(PIECE);
    try {
      while (from.read(bytes.clear()) >= 0) {
        send(to, bytes.flip());
      }
      to.shutdownOutput();
    } catch (IOException e) {
      // One of them is gone: so is the other one.
      close(from);
      close(to);
    }
  }

  private static void close(SocketChannel socket) {
    try {
      socket.close();
    } catch (IOException e) {
      System.err.println("nbdkit: cannot close a socket: " + e);
    }
  }
}
