package dev.r3map.nbd.server;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Writes the replies of one connection, whole and one after the other, whoever has them. A thread
 * that finds another one writing leaves its reply to that one, which sends all that have gathered
 * by one system call; so nobody waits for the lock but the reader, who has many replies in one
 * buffer.
 */
final class ReplyQueue {
  private static final Logger LOG = System.getLogger(ReplyQueue.class.getName());

  /** Buffers in one write: the kernel's limit, IOV_MAX of writev(2), is 1024. */
  private static final int MAX_PARTS = 512;

  /** A reply of its own: what to send, and whom to tell when that is over. */
  interface Reply {
    /** Appends what is to be sent. */
    void addTo(List<ByteBuffer> parts);

    /** It was sent, or never will be. */
    void end();
  }

  private final Wire wire;
  private final ConcurrentLinkedQueue<Reply> waiting = new ConcurrentLinkedQueue<>();

  /** Held by who writes. */
  private final ReentrantLock writing = new ReentrantLock();

  private final List<Reply> taken = new ArrayList<>();
  private final List<ByteBuffer> parts = new ArrayList<>();
  private ByteBuffer[] gathered = new ByteBuffer[16];
  private volatile boolean broken;

  ReplyQueue(Wire wire) {
    this.wire = wire;
  }

  /** Sends a reply, now or soon; failures end the connection and are the reader's business. */
  void send(Reply reply) {
    waiting.add(reply);
    writeWaiting();
  }

  /** Sends these bytes before anything that comes later. */
  void write(ByteBuffer[] src, int count) throws IOException {
    writing.lock();
    try {
      ensureWhole();
      wire.write(src, count);
    } catch (IOException | RuntimeException | Error e) {
      breakOff();
      throw e;
    } finally {
      writing.unlock();
      // Those who came meanwhile rely on it, also when this has failed.
      writeWaiting();
    }
  }

  private void writeWaiting() {
    while (!waiting.isEmpty() && writing.tryLock()) {
      try {
        gather();
        if (!broken) {
          gathered = parts.toArray(gathered);
          wire.write(gathered, parts.size());
        }
      } catch (IOException | RuntimeException | Error e) {
        LOG.log(Level.DEBUG, "a reply could not be sent", e);
        breakOff();
      } finally {
        // What is of no use any more must not stay in memory.
        Arrays.fill(gathered, 0, Math.min(parts.size(), gathered.length), null);
        taken.forEach(Reply::end);
        taken.clear();
        parts.clear();
        writing.unlock();
      }
    }
  }

  private void gather() {
    while (parts.size() < MAX_PARTS) {
      Reply reply = waiting.poll();
      if (reply == null) {
        return;
      }
      taken.add(reply);
      reply.addTo(parts);
    }
  }

  private void ensureWhole() throws IOException {
    if (broken) {
      throw new IOException("the connection ended in the middle of a reply");
    }
  }

  /** What was half sent cannot be taken back: the reader must not wait for another request. */
  private void breakOff() {
    broken = true;
    try {
      wire.close();
    } catch (IOException e) {
      // It is of no use any more, closed or not.
      return;
    }
  }
}
