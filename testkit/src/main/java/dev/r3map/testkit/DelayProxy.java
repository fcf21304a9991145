package dev.r3map.testkit;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A slow or broken network between clients and a server on this host, over TCP. Every byte arrives
 * a given time after it was sent, and all connections share a given bandwidth, each direction for
 * itself; both can be changed at any time. A connection is accepted at once: the round trip of its
 * handshake is not simulated.
 *
 * <p>Owns a thread and, for each connection, four more and two sockets, until it is closed. The
 * threads spin for the last moment before a byte is due, to be exact.
 */
public final class DelayProxy implements AutoCloseable {
  /** By how much the kernel may be late in waking a thread up. */
  private static final long SPIN_NANOS = 100_000;

  /**
   * How far a sender may be ahead of the bandwidth before it is held back: short queues, like TCP.
   */
  private static final long MAX_AHEAD_NANOS = 5_000_000;

  /** Bytes under way in one direction of one connection: 40 ms at 1.6 GB/s. */
  private static final int MAX_UNDER_WAY = 64 << 20;

  private static final int MAX_SEGMENT = 64 << 10;
  private static final int MIN_SEGMENT = 1460;

  /** With a low bandwidth, bytes arrive in portions that take this long to send. */
  private static final int SEGMENTS_PER_SECOND = 1000;

  private final InetSocketAddress target;
  private final ServerSocketChannel listener;
  private final Thread acceptor;
  private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
  private final Link toTarget = new Link();
  private final Link fromTarget = new Link();

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition resumed = lock.newCondition();
  private volatile boolean stalled;
  private volatile boolean cut;
  private volatile boolean closed;

  private DelayProxy(InetSocketAddress target) throws IOException {
    if (target.isUnresolved() || !target.getAddress().isLoopbackAddress()) {
      throw new IllegalArgumentException("not an address of the loopback interface: " + target);
    }
    this.target = target;
    this.listener = ServerSocketChannel.open();
    try {
      listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    } catch (IOException e) {
      listener.close();
      throw e;
    }
    this.acceptor = Thread.ofPlatform().daemon().name("delay-proxy").unstarted(this::accept);
  }

  /** Forwards to a port of this host, without delay at first. */
  public static DelayProxy to(int port) throws IOException {
    return to(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
  }

  /** Forwards to an address of the loopback interface, without delay at first. */
  public static DelayProxy to(InetSocketAddress target) throws IOException {
    DelayProxy proxy = new DelayProxy(target);
    proxy.acceptor.start();
    return proxy;
  }

  /** Where clients connect to. */
  public InetSocketAddress address() {
    return new InetSocketAddress(
        InetAddress.getLoopbackAddress(), listener.socket().getLocalPort());
  }

  /** The port of {@link #address}. */
  public int port() {
    return address().getPort();
  }

  /** Both directions take this long: half a round trip. */
  public DelayProxy delay(Duration oneWay) {
    toTarget.delayNanos = oneWay.toNanos();
    fromTarget.delayNanos = oneWay.toNanos();
    return this;
  }

  /** So many bytes per second in each direction; 0 for as many as this host can do. */
  public DelayProxy bandwidth(long bytesPerSecond) {
    toTarget.bytesPerSecond = bytesPerSecond;
    fromTarget.bytesPerSecond = bytesPerSecond;
    return this;
  }

  /** No byte moves any more, though connections stay open and are made, until {@link #resume}. */
  public void stall() {
    stalled = true;
  }

  /** Resets the connections there are; new ones are served. */
  public void reset() {
    connections.forEach(connection -> connection.end(true));
  }

  /** Resets the connections there are, and every new one, until {@link #resume}. */
  public void cut() {
    cut = true;
    reset();
  }

  /** Ends {@link #stall} and {@link #cut}. */
  public void resume() {
    lock.lock();
    try {
      stalled = false;
      cut = false;
      resumed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** How many bytes clients have sent so far. */
  public long bytesToTarget() {
    return toTarget.bytes();
  }

  /** How many bytes the target has sent so far. */
  public long bytesFromTarget() {
    return fromTarget.bytes();
  }

  /** How many connections are open. */
  public int connections() {
    return connections.size();
  }

  /** Closes all connections and waits for the threads to end; idempotent. */
  @Override
  public void close() throws IOException {
    closed = true;
    resume();
    listener.close();
    joinUninterruptibly(acceptor);
    for (Connection connection : List.copyOf(connections)) {
      connection.end(false);
      connection.join();
    }
  }

  private void accept() {
    while (!closed) {
      try {
        SocketChannel client = listener.accept();
        if (cut) {
          reset(client);
        } else {
          connect(client);
        }
      } catch (IOException e) {
        if (!listener.isOpen()) {
          return;
        }
      }
    }
  }

  private void connect(SocketChannel client) throws IOException {
    SocketChannel server;
    try {
      server = SocketChannel.open(target);
      server.setOption(StandardSocketOptions.TCP_NODELAY, true);
      client.setOption(StandardSocketOptions.TCP_NODELAY, true);
    } catch (IOException e) {
      reset(client);
      return;
    }
    Connection connection = new Connection(client, server);
    connections.add(connection);
    connection.start();
  }

  private static void reset(SocketChannel channel) throws IOException {
    channel.setOption(StandardSocketOptions.SO_LINGER, 0);
    channel.close();
  }

  private void awaitResumed() throws InterruptedException {
    if (stalled) {
      lock.lock();
      try {
        while (stalled) {
          resumed.await();
        }
      } finally {
        lock.unlock();
      }
    }
  }

  private static void joinUninterruptibly(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** One direction of the network, which all connections share. */
  private static final class Link {
    private final ReentrantLock lock = new ReentrantLock();
    private volatile long delayNanos;
    private volatile long bytesPerSecond;
    private long free = System.nanoTime();
    private long bytes;

    /** How many bytes to take at once. */
    int segment() {
      long rate = bytesPerSecond;
      return rate == 0
          ? MAX_SEGMENT
          : Math.clamp(rate / SEGMENTS_PER_SECOND, MIN_SEGMENT, MAX_SEGMENT);
    }

    /** Sends so many bytes; answers when the last of them is on its way. */
    long send(int count) {
      lock.lock();
      try {
        long now = System.nanoTime();
        long rate = bytesPerSecond;
        bytes += count;
        free = free - now > 0 ? free : now;
        free += rate == 0 ? 0 : count * 1_000_000_000L / rate;
        return free;
      } finally {
        lock.unlock();
      }
    }

    long bytes() {
      lock.lock();
      try {
        return bytes;
      } finally {
        lock.unlock();
      }
    }
  }

  /** What comes out at the other end. */
  private record Segment(What what, ByteBuffer bytes, long due) {
    private enum What {
      BYTES,
      END,
      RESET
    }
  }

  private final class Connection {
    private final SocketChannel client;
    private final SocketChannel server;
    private final Direction up;
    private final Direction down;
    private final AtomicInteger open = new AtomicInteger(2);
    private volatile boolean ended;

    Connection(SocketChannel client, SocketChannel server) {
      this.client = client;
      this.server = server;
      this.up = new Direction(this, toTarget, client, server);
      this.down = new Direction(this, fromTarget, server, client);
    }

    void start() {
      up.start();
      down.start();
    }

    /** One direction has delivered everything. */
    void endOne() {
      if (open.decrementAndGet() == 0) {
        end(false);
      }
    }

    void end(boolean withReset) {
      ended = true;
      try (client;
          server) {
        if (withReset) {
          reset(client);
          reset(server);
        }
      } catch (IOException e) {
        // Somebody else closed it at the same time, which is as good.
      }
      up.interrupt();
      down.interrupt();
      connections.remove(this);
    }

    void join() {
      up.join();
      down.join();
    }
  }

  /** One direction of a connection: one thread receives, one delivers what is due. */
  private final class Direction {
    private final Connection connection;
    private final Link link;
    private final SocketChannel from;
    private final SocketChannel to;
    private final Thread receiver;
    private final Thread deliverer;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Deque<Segment> segments = new ArrayDeque<>();
    private long underWay;

    Direction(Connection connection, Link link, SocketChannel from, SocketChannel to) {
      this.connection = connection;
      this.link = link;
      this.from = from;
      this.to = to;
      this.receiver = Thread.ofPlatform().daemon().name("delay-proxy").unstarted(this::receive);
      this.deliverer = Thread.ofPlatform().daemon().name("delay-proxy").unstarted(this::deliver);
    }

    void start() {
      receiver.start();
      deliverer.start();
    }

    void interrupt() {
      receiver.interrupt();
      deliverer.interrupt();
    }

    void join() {
      joinUninterruptibly(receiver);
      joinUninterruptibly(deliverer);
    }

    private void receive() {
      ByteBuffer buffer = ByteBuffer.allocateDirect(MAX_SEGMENT);
      Segment.What last = Segment.What.RESET;
      try {
        while (true) {
          awaitResumed();
          buffer.clear().limit(link.segment());
          int count = from.read(buffer);
          if (count < 0) {
            last = Segment.What.END;
            break;
          }
          long sent = link.send(count);
          ByteBuffer bytes = ByteBuffer.allocate(count).put(buffer.flip()).flip();
          put(new Segment(Segment.What.BYTES, bytes, sent + link.delayNanos));
          waitUntil(sent - MAX_AHEAD_NANOS);
        }
      } catch (IOException e) {
        // Reset by the sender, or ended by us: the deliverer knows which.
      } catch (InterruptedException e) {
        return;
      }
      try {
        put(new Segment(last, ByteBuffer.allocate(0), System.nanoTime() + link.delayNanos));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private void deliver() {
      try {
        while (true) {
          Segment segment = first();
          waitUntil(segment.due());
          awaitResumed();
          switch (segment.what()) {
            case BYTES -> {
              while (segment.bytes().hasRemaining()) {
                to.write(segment.bytes());
              }
              removeFirst();
            }
            case END -> {
              to.shutdownOutput();
              connection.endOne();
              return;
            }
            case RESET -> {
              connection.end(true);
              return;
            }
          }
        }
      } catch (IOException e) {
        connection.end(true);
      } catch (InterruptedException e) {
        // The connection was ended.
      }
    }

    private void put(Segment segment) throws InterruptedException {
      lock.lock();
      try {
        while (underWay >= MAX_UNDER_WAY) {
          changed.await();
        }
        underWay += segment.bytes().remaining();
        segments.addLast(segment);
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }

    private Segment first() throws InterruptedException {
      lock.lock();
      try {
        while (segments.isEmpty()) {
          changed.await();
        }
        return segments.getFirst();
      } finally {
        lock.unlock();
      }
    }

    private void removeFirst() {
      lock.lock();
      try {
        underWay -= segments.removeFirst().bytes().limit();
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }

    private void waitUntil(long time) throws InterruptedException {
      while (true) {
        long left = time - System.nanoTime();
        if (left <= 0) {
          return;
        }
        if (left > SPIN_NANOS) {
          LockSupport.parkNanos(this, left - SPIN_NANOS);
        } else {
          Thread.onSpinWait();
        }
        if (connection.ended || Thread.interrupted()) {
          throw new InterruptedException();
        }
      }
    }
  }
}
