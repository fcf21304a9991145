package dev.r3map.nbd.client;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one connection that have no reply yet. A cookie is the place in this table, and
 * above it a number that no earlier request had: a late or invented reply finds nobody.
 */
final class Slots {
  /**
   * Places, one for each bit of a long. Servers take as many at a time (nbdkit and qemu-nbd 16).
   */
  private static final int COUNT = Long.SIZE;

  private static final int INDEX_BITS = 6;

  private final AtomicReferenceArray<@Nullable Request> table = new AtomicReferenceArray<>(COUNT);
  private final AtomicLong free = new AtomicLong(-1);
  private final AtomicLong generation = new AtomicLong();
  private final Semaphore places = new Semaphore(COUNT);
  private volatile @Nullable IOException over;

  /** How many requests there are. */
  int count() {
    return COUNT - places.availablePermits();
  }

  /**
   * Gives a request its cookie, waiting for a place if there is none.
   *
   * @param nanos for how long to wait
   * @return false if none became free
   * @throws IOException if the connection has ended
   */
  boolean put(Request request, long nanos) throws IOException {
    if (!places.tryAcquire() && !await(nanos)) {
      return false;
    }
    IOException before = over;
    if (before != null) {
      throw before;
    }
    int index = takeIndex();
    request.cookie = generation.incrementAndGet() << INDEX_BITS | index;
    table.set(index, request);
    IOException reason = over;
    if (reason != null) {
      // Whoever takes it out of the table tells its caller; here that is the caller itself.
      if (table.compareAndSet(index, request, null)) {
        request.end(reason);
      }
    }
    return true;
  }

  private boolean await(long nanos) throws IOException {
    try {
      return places.tryAcquire(nanos, TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while too many requests were under way");
    }
  }

  private int takeIndex() {
    while (true) {
      long bits = free.get();
      long bit = Long.lowestOneBit(bits);
      if (free.compareAndSet(bits, bits & ~bit)) {
        return Long.numberOfTrailingZeros(bit);
      }
    }
  }

  /** The request that a reply is for. */
  Request find(long cookie) throws MalformedException {
    Request request = table.get((int) (cookie & (COUNT - 1)));
    if (request == null || request.cookie != cookie || request.hasReply()) {
      throw new MalformedException("a reply to a request that was not made");
    }
    return request;
  }

  /** The request has its reply, and was sent as a whole. */
  void finish(Request request) {
    int index = (int) (request.cookie & (COUNT - 1));
    table.set(index, null);
    free.accumulateAndGet(1L << index, (bits, bit) -> bits | bit);
    places.release();
    request.end(null);
  }

  /** No reply comes any more; nobody uses the requests' payload any more either. */
  void endAll(IOException reason) {
    over = reason;
    for (int i = 0; i < COUNT; i++) {
      Request request = table.getAndSet(i, null);
      if (request != null) {
        request.end(reason);
      }
    }
    // Who still waits for a place learns that in vain.
    places.release(COUNT);
  }
}
