package dev.r3map.nbd.wire;

import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * A socket, in the clear. Owns it: only {@link #close} of the wire ends the calls that wait. An
 * interrupt does nothing.
 *
 * <p>Who has got something a moment ago looks for more for a moment before it goes to sleep. To
 * wake it costs the peer more than most requests do, and takes longer.
 */
public final class SocketWire implements Wire {
  /** What the kernel keeps of a Unix socket, in bytes: its default lets a peer run dry. */
  private static final int UNIX_BUFFER = 512 << 10;

  private final SocketChannel socket;
  private final Selector readable;
  private final Selector writable;

  /** The reader's. */
  private final Watch watch = new Watch();

  /** Takes a connected socket over, also when this fails. */
  public SocketWire(SocketChannel socket) throws IOException {
    this.socket = socket;
    Selector reading = null;
    Selector writing = null;
    try {
      if (socket.supportedOptions().contains(StandardSocketOptions.TCP_NODELAY)) {
        // A reply that waits for the acknowledgement of the one before it costs 40 ms.
        socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
        // A peer whose host is gone says nothing, and would have its connection for ever.
        socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
      } else {
        socket.setOption(StandardSocketOptions.SO_SNDBUF, UNIX_BUFFER);
      }
      socket.configureBlocking(false);
      reading = Selector.open();
      writing = Selector.open();
      socket.register(reading, SelectionKey.OP_READ);
      socket.register(writing, SelectionKey.OP_WRITE);
    } catch (IOException | RuntimeException e) {
      socket.close();
      close(reading);
      close(writing);
      throw e;
    }
    readable = reading;
    writable = writing;
  }

  @Override
  public int read(ByteBuffer dst) throws IOException {
    int count = socket.read(dst);
    if (count != 0 || !dst.hasRemaining()) {
      return count;
    }
    if (watch.begin()) {
      try {
        do {
          Thread.onSpinWait();
          count = socket.read(dst);
        } while (count == 0 && watch.goesOn());
      } finally {
        watch.end(count != 0);
      }
    }
    long asleep = System.nanoTime();
    while (count == 0) {
      await(readable);
      count = socket.read(dst);
      watch.wokenAfter(System.nanoTime() - asleep);
    }
    return count;
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
      if (socket.write(src, first, count - first) == 0) {
        await(writable);
      }
    }
  }

  private static void await(Selector selector) throws IOException {
    // It would not wait in a thread that is interrupted.
    boolean interrupted = Thread.interrupted();
    try {
      while (selector.select() == 0 && Thread.interrupted()) {
        interrupted = true;
      }
      selector.selectedKeys().clear();
    } catch (ClosedSelectorException e) {
      AsynchronousCloseException closed = new AsynchronousCloseException();
      closed.initCause(e);
      throw closed;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
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
    try {
      socket.close();
    } finally {
      close(readable);
      close(writable);
    }
  }

  private static void close(@Nullable Selector selector) throws IOException {
    if (selector != null) {
      selector.close();
    }
  }
}
