package dev.r3map.nbd.server;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * What one connection has of the memory for payloads: a quarter of it at most, so that a single
 * client cannot keep it all. One thread takes, any thread gives back.
 *
 * <p>Several clients could still keep everything, by announcing bytes that never come or by not
 * taking replies. Nobody looks for such clients as long as there is memory. Who has waited for it
 * in vain, for as long as the service is patient, ends the connections that keep some of it and
 * whose client has kept a transfer waiting for that long.
 */
final class Share {
  private static final Logger LOG = System.getLogger(Share.class.getName());

  private final Service service;
  private final Buffers buffers;
  private final TimedWire wire;
  private final int most;
  private final Semaphore pages;

  Share(Service service, TimedWire wire) {
    this.service = service;
    this.buffers = service.buffers();
    this.wire = wire;
    this.most = Math.max(buffers.pages() / 4, Buffers.pages(Export.MAX_PAYLOAD));
    this.pages = new Semaphore(most);
  }

  /** A buffer of so many bytes, with whatever was there before; null if it would have to wait. */
  @Nullable ByteBuffer tryTake(int bytes) throws InterruptedException {
    int wanted = Buffers.pages(bytes);
    if (!pages.tryAcquire(wanted)) {
      return null;
    }
    ByteBuffer taken = null;
    try {
      taken = buffers.take(bytes, 0);
      return taken;
    } finally {
      if (taken == null) {
        pages.release(wanted);
      }
    }
  }

  /** The same, but waits. */
  ByteBuffer take(int bytes) throws InterruptedException {
    int wanted = Buffers.pages(bytes);
    pages.acquire(wanted);
    ByteBuffer taken = null;
    try {
      while (true) {
        taken = buffers.take(bytes, service.patience().toNanos());
        if (taken != null) {
          return taken;
        }
        service.endStalled();
      }
    } finally {
      if (taken == null) {
        pages.release(wanted);
      }
    }
  }

  /** Ends the use of a buffer that was taken here. */
  void giveBack(ByteBuffer buffer) {
    int held = Buffers.pages(buffer.capacity());
    buffers.giveBack(buffer);
    pages.release(held);
  }

  /** Ends the connection if it is one of those that nobody should have to wait for. */
  void endIfStalled() {
    if (pages.availablePermits() == most || !wire.isStalled(service.patience())) {
      return;
    }
    LOG.log(Level.DEBUG, "ends a connection that keeps memory and whose client has stalled");
    try {
      wire.close();
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "cannot end a stalled connection", e);
    }
  }
}
