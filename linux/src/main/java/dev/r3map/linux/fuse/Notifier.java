package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.Native;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.time.Duration;
import java.util.Comparator;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;

/**
 * Tells the kernel what to forget (bytes written through another door) and what to know (bytes just
 * pulled). Owns a thread until {@link #close}; who waits then goes on.
 *
 * <p>Both may wait within the kernel for the lock of a page, which is held until the READ of that
 * page is answered. So this thread holds nothing, and nobody who answers requests waits for it.
 *
 * <p>A page is pushed only if the kernel never had it, and only into a mount that is never written:
 * a push overwrites what a program stored into a mapping. It is an optimization and given up at the
 * first difficulty: the queue full, memory short, the file passed through.
 */
final class Notifier implements AutoCloseable {
  /** Pulls of 256 KiB that may wait for a push: a second of fast pulling. */
  private static final int MOST_PUSHES = 4096;

  /** A push makes cache that the kernel can drop, but dropping is work: leave a quarter alone. */
  private static final int MEMORY_LEFT_ALONE = 4;

  /** How much to push before looking at the memory again. */
  private static final long MEMORY_CHECK = 64L << 20;

  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(5);

  /**
   * How long a writer waits for the kernel to forget, which takes microseconds unless a page is
   * locked. A READ that waits locks its pages, but will see the new bytes; and the writers of two
   * mounts of one region that lock the same page would wait for each other.
   */
  private static final Duration FORGET_LIMIT = Duration.ofSeconds(2);

  private final FuseConnection connection;
  private final FailureLog log;
  private final HandedPages handed;
  private final Optional<LocalView> pushed;
  private final Passthrough passthrough;
  private final long size;
  private final Request notification;
  private final ConcurrentLinkedQueue<Invalidation> invalidations = new ConcurrentLinkedQueue<>();
  private final Set<Invalidation> forgetting = ConcurrentHashMap.newKeySet();
  private final ArrayBlockingQueue<Range> pushes = new ArrayBlockingQueue<>(MOST_PUSHES);
  private final Thread thread;
  private long pushBudget;
  private final LongAdder pushedBytes = new LongAdder();
  private volatile boolean mayPush;
  private volatile boolean closed;

  /** A range of the region. */
  record Range(long offset, long length) {
    long end() {
      return offset + length;
    }
  }

  private static final class Invalidation {
    private final Range range;
    private final Thread waiter = Thread.currentThread();
    private volatile boolean done;

    Invalidation(Range range) {
      this.range = range;
    }
  }

  /**
   * Begins to work.
   *
   * @param pushed where the bytes to push are; empty if none must be
   */
  Notifier(
      FuseConnection connection,
      FailureLog log,
      HandedPages handed,
      Optional<LocalView> pushed,
      Passthrough passthrough,
      long size,
      String name)
      throws IOException {
    this.connection = connection;
    this.log = log;
    this.handed = handed;
    this.pushed = pushed;
    this.passthrough = passthrough;
    this.size = size;
    notification = new Request();
    thread = Thread.ofPlatform().daemon().name(name + " notifier").start(this::work);
  }

  /** Makes the kernel forget a range, and waits until it has: parked, and not for ever. */
  void forget(long offset, long length) {
    if (closed || length == 0 || !handed.any(offset, length)) {
      return;
    }
    Invalidation invalidation = new Invalidation(new Range(offset, length));
    forgetting.add(invalidation);
    invalidations.add(invalidation);
    LockSupport.unpark(thread);
    boolean interrupted = false;
    long deadline = System.nanoTime() + FORGET_LIMIT.toNanos();
    while (!invalidation.done && !closed) {
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        log.failed("invalidation", offset, length, new TimeoutException("within " + FORGET_LIMIT));
        break;
      }
      LockSupport.parkNanos(invalidation, left);
      interrupted |= Thread.interrupted();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Makes the kernel forget a range some time soon; what only it knows, it writes back first. */
  void forgetSoon(long offset, long length) {
    invalidations.add(new Invalidation(new Range(offset, length)));
    LockSupport.unpark(thread);
  }

  /**
   * The first of the ranges that the kernel is forgetting right now and that begin before {@code
   * end} and end after {@code offset}. A page of its cache that it writes back meanwhile is older
   * there than what the region has.
   */
  Optional<Range> forgetting(long offset, long end) {
    if (forgetting.isEmpty()) {
      return Optional.empty();
    }
    return forgetting.stream()
        .map(invalidation -> invalidation.range)
        .filter(range -> range.offset < end && range.end() > offset)
        .min(Comparator.comparingLong(Range::offset));
  }

  /**
   * Lets pushes begin. Not before the kernel knows the size of the file: a push moves the end of
   * the file that it takes for empty, and then the kernel disregards the size that it is just being
   * told; who reads behind that end is told that the file ends there.
   */
  void sizeIsKnown() {
    mayPush = true;
    LockSupport.unpark(thread);
  }

  /** Gives the kernel a range, some time soon or never. */
  void push(long offset, long length) {
    if (pushed.isPresent() && !closed && pushes.offer(new Range(offset, length))) {
      LockSupport.unpark(thread);
    }
  }

  /** How many bytes the kernel was given. */
  long pushed() {
    return pushedBytes.sum();
  }

  @Override
  public void close() throws IOException {
    closed = true;
    LockSupport.unpark(thread);
    invalidations.forEach(invalidation -> LockSupport.unpark(invalidation.waiter));
    Joins.join(thread, CLOSE_LIMIT);
    notification.free();
  }

  private void work() {
    while (!closed) {
      Invalidation invalidation = invalidations.poll();
      if (invalidation != null) {
        invalidate(invalidation);
        continue;
      }
      Range range = mayPush ? pushes.poll() : null;
      if (range != null) {
        pushRange(range);
        continue;
      }
      LockSupport.park(this);
    }
  }

  private void invalidate(Invalidation invalidation) {
    notification.put(FuseProtocol.INVAL_INODE_INO, FuseProtocol.ROOT_ID);
    notification.put(FuseProtocol.INVAL_INODE_OFFSET, invalidation.range.offset);
    notification.put(FuseProtocol.INVAL_INODE_LENGTH, invalidation.range.length);
    notification.finishNotification(
        FuseProtocol.NOTIFY_INVAL_INODE, FuseProtocol.INVAL_INODE_SIZE, 0, 0);
    int errno = connection.send(notification);
    boolean gone = errno == Errno.ENOENT || errno == Errno.ENODEV || closed;
    if (errno != 0 && !gone) {
      log.warn("the kernel did not forget a range: " + Errno.text(errno));
    }
    forgetting.remove(invalidation);
    invalidation.done = true;
    LockSupport.unpark(invalidation.waiter);
  }

  private void pushRange(Range range) {
    LocalView view = pushed.orElseThrow();
    try {
      // Whole pages only, but for the end of the file: the kernel does not believe in halves.
      long end = range.end();
      long from = Math.ceilDiv(range.offset, Native.PAGE_SIZE) * Native.PAGE_SIZE;
      long to = end == size ? end : end / Native.PAGE_SIZE * Native.PAGE_SIZE;
      if (from < to && view.isLocal(from, to - from)) {
        long mapping = view.mapping().address();
        view.runs(
            from,
            to - from,
            (offset, length, zeros) -> {
              if (!zeros) {
                pushRun(mapping, offset, offset + length);
              }
            });
      }
    } catch (RuntimeException e) {
      log.failed("push", range.offset, range.length, e);
    }
  }

  private void pushRun(long mapping, long offset, long end) {
    // A run of blocks may begin within a page where pages are larger than blocks.
    long at = Math.ceilDiv(offset, Native.PAGE_SIZE) * Native.PAGE_SIZE;
    while (at < end && !closed && !passthrough.isActive() && invalidations.isEmpty()) {
      at = handed.run(at, end, true);
      long until = handed.run(at, Math.min(end, at + FuseProtocol.MAX_TRANSFER), false);
      if (until > at) {
        if (!memoryIsFree(until - at)) {
          return;
        }
        handed.mark(at, until - at);
        store(mapping, at, (int) (until - at));
      }
      at = until;
    }
  }

  private void store(long mapping, long offset, int length) {
    notification.put(FuseProtocol.STORE_NODEID, FuseProtocol.ROOT_ID);
    notification.put(FuseProtocol.STORE_OFFSET, offset);
    notification.put(FuseProtocol.STORE_LENGTH, (long) length);
    notification.finishNotification(
        FuseProtocol.NOTIFY_STORE, FuseProtocol.STORE_SIZE, mapping + offset, length);
    int errno = connection.send(notification);
    pushedBytes.add(length);
    if (errno != 0 && errno != Errno.ENOENT && !closed) {
      log.note("a push failed: " + Errno.text(errno));
    }
  }

  private boolean memoryIsFree(long length) {
    pushBudget -= length;
    if (pushBudget >= 0) {
      return true;
    }
    Processes.Memory memory = Processes.memory();
    if (memory.available() > memory.total() / MEMORY_LEFT_ALONE) {
      pushBudget = MEMORY_CHECK;
      return true;
    }
    return false;
  }
}
