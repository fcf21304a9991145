package dev.r3map.grpc;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps changes of a client's later epoch behind those of its earlier ones; see {@code Fence} in
 * {@code resource.proto}.
 */
final class Fences {
  /** Clients remembered while they have nothing under way; a forgotten one begins anew. */
  private static final int CLIENTS = 4096;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition ended = lock.newCondition();
  private final LinkedHashMap<Long, Client> clients = new LinkedHashMap<>(16, 0.75f, true);

  private static final class Client {
    private long epoch;
    private int current;
    private int former;
  }

  /** A change under way. */
  interface Passage extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Waits until nothing of an earlier epoch is under way.
   *
   * @throws Refusal if the epoch is over
   */
  Passage enter(Fence fence) throws Refusal, InterruptedException {
    if (fence.client() == 0) {
      return () -> {};
    }
    lock.lock();
    try {
      Client client = clients.computeIfAbsent(fence.client(), id -> new Client());
      forgetOldest();
      if (fence.epoch() > client.epoch) {
        client.former += client.current;
        client.current = 0;
        client.epoch = fence.epoch();
      }
      while (fence.epoch() == client.epoch && client.former > 0) {
        ended.await();
      }
      if (fence.epoch() < client.epoch) {
        throw new Refusal(
            ErrorKind.FENCED, "epoch %d is over, it is %d".formatted(fence.epoch(), client.epoch));
      }
      client.current++;
      return () -> leave(client, fence.epoch());
    } finally {
      lock.unlock();
    }
  }

  private void leave(Client client, long epoch) {
    lock.lock();
    try {
      if (epoch == client.epoch) {
        client.current--;
      } else {
        client.former--;
        ended.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  private void forgetOldest() {
    Iterator<Map.Entry<Long, Client>> oldest = clients.entrySet().iterator();
    while (clients.size() > CLIENTS && oldest.hasNext()) {
      Client client = oldest.next().getValue();
      if (client.current == 0 && client.former == 0) {
        oldest.remove();
        return;
      }
    }
  }
}
