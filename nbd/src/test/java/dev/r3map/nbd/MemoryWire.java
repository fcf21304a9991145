package dev.r3map.nbd;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.SplittableRandom;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** A connection without a network, with room for everything; the server reads it in pieces. */
final class MemoryWire implements Wire {
  /** The only one without any capacity. */
  private static final ByteBuffer END = ByteBuffer.allocate(0);

  private static final ByteBuffer READ = ByteBuffer.allocate(1).position(1);
  private static final long PATIENCE_SECONDS = 10;

  private final BlockingQueue<ByteBuffer> toServer = new LinkedBlockingQueue<>();
  private final BlockingQueue<ByteBuffer> toClient = new LinkedBlockingQueue<>();
  private final SplittableRandom random;
  private ByteBuffer current = READ;
  private volatile boolean closed;

  /** Bytes that the server can write until the connection breaks. */
  private final AtomicLong left;

  MemoryWire(long seed, long breaksAfter) {
    random = new SplittableRandom(seed);
    left = new AtomicLong(breaksAfter);
  }

  @Override
  public int read(ByteBuffer dst) throws IOException {
    while (!current.hasRemaining()) {
      if (isEnd(current)) {
        return -1;
      }
      current = take(toServer, Long.MAX_VALUE);
      if (closed) {
        throw new ClosedChannelException();
      }
    }
    int most = Math.min(dst.remaining(), current.remaining());
    int count = random.nextInt(4) == 0 ? random.nextInt(1, most + 1) : most;
    dst.put(current.slice(current.position(), count));
    current.position(current.position() + count);
    return count;
  }

  @Override
  public void write(ByteBuffer[] src, int count) throws IOException {
    for (int i = 0; i < count; i++) {
      if (closed) {
        throw new ClosedChannelException();
      }
      if (left.addAndGet(-src[i].remaining()) < 0) {
        throw new IOException("broken pipe");
      }
      if (src[i].hasRemaining()) {
        toClient.add(ByteBuffer.allocate(src[i].remaining()).put(src[i]).flip());
      }
    }
  }

  /** Nothing that the server writes from now on arrives. */
  void breakOff() {
    left.set(0);
  }

  @Override
  public void finish() {
    toClient.add(END);
  }

  @Override
  public void endInput() {
    toServer.add(END);
  }

  @Override
  public void close() {
    closed = true;
    toServer.add(END);
    toClient.add(END);
  }

  /** What the client sends; closing it says that no more comes. */
  OutputStream clientOut() {
    return new OutputStream() {
      @Override
      public void write(int b) {
        write(new byte[] {(byte) b}, 0, 1);
      }

      @Override
      public void write(byte[] bytes, int offset, int length) {
        if (length > 0) {
          toServer.add(ByteBuffer.allocate(length).put(bytes, offset, length).flip());
        }
      }

      @Override
      public void close() {
        endInput();
      }
    };
  }

  /** What the client gets; a server that is silent for too long is an exception. */
  InputStream clientIn() {
    return new InputStream() {
      private ByteBuffer got = READ;

      @Override
      public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
      }

      @Override
      public int read(byte[] bytes, int offset, int length) throws IOException {
        while (length > 0 && !got.hasRemaining() && !isEnd(got)) {
          got = take(toClient, PATIENCE_SECONDS);
        }
        if (length > 0 && isEnd(got)) {
          return -1;
        }
        int count = Math.min(length, got.remaining());
        got.get(bytes, offset, count);
        return count;
      }
    };
  }

  private static boolean isEnd(ByteBuffer bytes) {
    return bytes.capacity() == 0;
  }

  private static ByteBuffer take(BlockingQueue<ByteBuffer> from, long seconds) throws IOException {
    try {
      ByteBuffer next = from.poll(seconds, TimeUnit.SECONDS);
      if (next == null) {
        throw new SocketTimeoutException("nothing came for %d s".formatted(seconds));
      }
      return next;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }
}
