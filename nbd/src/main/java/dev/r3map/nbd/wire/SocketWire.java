package dev.r3map.nbd.wire;

import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;

/** A socket, in the clear. Owns it. */
public final class SocketWire implements Wire {
  private final SocketChannel socket;

  /** Takes a connected socket over, also when this fails. */
  public SocketWire(SocketChannel socket) throws IOException {
    this.socket = socket;
    try {
      if (socket.supportedOptions().contains(StandardSocketOptions.TCP_NODELAY)) {
        // A reply that waits for the acknowledgement of the one before it costs 40 ms.
        socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
      }
      if (socket.supportedOptions().contains(StandardSocketOptions.SO_KEEPALIVE)) {
        // A peer whose host is gone says nothing, and would be waited for without end.
        socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
      }
      socket.configureBlocking(true);
    } catch (IOException | RuntimeException e) {
      socket.close();
      throw e;
    }
  }

  @Override
  public int read(ByteBuffer dst) throws IOException {
    return socket.read(dst);
  }

  @Override
  public void write(ByteBuffer[] src, int count) throws IOException {
    int first = 0;
    while (true) {
      while (first < count && !src[first].hasRemaining()) {
        first++;
      }
      if (first == count) {
        return;
      }
      socket.write(src, first, count - first);
    }
  }

  @Override
  public void finish() throws IOException {
    socket.shutdownOutput();
  }

  @Override
  public void endInput() throws IOException {
    try {
      socket.shutdownInput();
    } catch (ClosedChannelException e) {
      // It has ended already.
      return;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
