package dev.r3map.store;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/** Counts calls in flight, so that close can refuse new ones and wait for those that run. */
final class Gate {
  private static final long CLOSED = 1L << 62;

  private final AtomicLong state = new AtomicLong();
  private final String what;

  Gate(String what) {
    this.what = what;
  }

  void enter() throws IOException {
    if (state.incrementAndGet() >= CLOSED) {
      state.decrementAndGet();
      throw new IOException(what + " is closed");
    }
  }

  void leave() {
    state.decrementAndGet();
  }

  boolean isClosed() {
    return state.get() >= CLOSED;
  }

  /** Refuses new calls; true for the first caller. */
  boolean shut() {
    return state.getAndUpdate(s -> s | CLOSED) < CLOSED;
  }

  /** Waits until no call is in flight. */
  void drain() {
    while (state.get() != CLOSED) {
      LockSupport.parkNanos(100_000);
    }
  }
}
