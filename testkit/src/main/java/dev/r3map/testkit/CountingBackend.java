package dev.r3map.testkit;

import dev.r3map.backend.Backend;
import dev.r3map.testkit.BackendCall.Kind;
import java.io.IOException;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/** Keeps a record of the calls of a backend, in the order in which they began. */
public final class CountingBackend extends ForwardingBackend {
  private final Queue<BackendCall> calls = new ConcurrentLinkedQueue<>();
  private final AtomicInteger running = new AtomicInteger();
  private final AtomicInteger mostRunning = new AtomicInteger();

  private CountingBackend(Backend delegate) {
    super(delegate);
  }

  public static CountingBackend of(Backend backend) {
    return new CountingBackend(backend);
  }

  /** All calls since the last {@link #reset}, failed ones too. */
  public List<BackendCall> calls() {
    return List.copyOf(calls);
  }

  /** How many calls {@code which} holds for. */
  public long count(Predicate<BackendCall> which) {
    return calls.stream().filter(which).count();
  }

  /** How many calls of a kind there were. */
  public long count(Kind kind) {
    return count(BackendCall.of(kind));
  }

  /** How many bytes the calls of a kind were about. */
  public long bytes(Kind kind) {
    return calls.stream().filter(BackendCall.of(kind)).mapToLong(BackendCall::length).sum();
  }

  /** The most calls, of any kind, that ran at the same time. */
  public int mostAtOnce() {
    return mostRunning.get();
  }

  /** Forgets what was. */
  public void reset() {
    calls.clear();
    mostRunning.set(running.get());
  }

  @Override
  protected <T> T around(BackendCall call, Step<T> step) throws IOException {
    calls.add(call);
    mostRunning.accumulateAndGet(running.incrementAndGet(), Math::max);
    try {
      return step.run();
    } finally {
      running.decrementAndGet();
    }
  }
}
