package dev.r3map.linux.fuse;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The threads that read requests: platform threads, for they block in the kernel. They end when the
 * connection does.
 */
final class Receivers {
  /** One copies to a program while the other takes the next request; more gave nothing. */
  private static final int THREADS = 2;

  private final FuseConnection connection;
  private final FuseServer server;
  private final RequestPool pool;
  private final FailureLog log;
  private final List<Thread> threads = new ArrayList<>();
  private volatile boolean stopping;

  /** Begins to receive. */
  Receivers(
      FuseConnection connection, FuseServer server, RequestPool pool, FailureLog log, String name) {
    this.connection = connection;
    this.server = server;
    this.pool = pool;
    this.log = log;
    for (int i = 1; i <= THREADS; i++) {
      threads.add(Thread.ofPlatform().daemon().name(name + " receiver " + i).start(this::receive));
    }
  }

  /** Each ends after the next request. */
  void stop() {
    stopping = true;
  }

  /** Whether all have ended within a limit. */
  boolean ended(Duration limit) {
    long deadline = System.nanoTime() + limit.toNanos();
    for (Thread thread : threads) {
      Duration left = Duration.ofNanos(Math.max(deadline - System.nanoTime(), 1));
      if (!Joins.joined(thread, left)) {
        return false;
      }
    }
    return true;
  }

  private void receive() {
    @Nullable Request request = null;
    try {
      while (!stopping) {
        if (request == null) {
          request = pool.take();
          if (request == null) {
            return;
          }
        }
        if (connection.receive(request) == FuseConnection.ENDED) {
          if (!stopping) {
            log.warn("the mount was ended from outside");
          }
          return;
        }
        if (!server.serve(request)) {
          request = null;
        }
      }
    } catch (IOException | RuntimeException | Error e) {
      log.warn("a receiver ended", e);
    } finally {
      if (request != null) {
        pool.giveBack(request);
      }
    }
  }
}
