package dev.r3map.testkit;

import dev.r3map.backend.Backend;
import dev.r3map.testkit.BackendCall.Kind;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * A backend whose calls fail, hang or lie as a test says. Faults add up and act in the order in
 * which they were made; each ends when it is closed.
 *
 * <pre>{@code
 * FaultyBackend remote = FaultyBackend.of(MemoryBackend.of(1 << 20));
 * remote.failNext(2, Kind.SYNC);
 * try (Fault outage = remote.outage()) { ... }
 * try (Fault held = remote.hold(BackendCall.touching(4096))) {
 *   held.awaitHits(1, Duration.ofSeconds(5));
 *   ...
 * }
 * }</pre>
 */
public final class FaultyBackend extends ForwardingBackend {
  private static final Hook NOTHING = fault -> {};

  private final List<Fault> faults = new CopyOnWriteArrayList<>();
  private final List<Fault> tears = new CopyOnWriteArrayList<>();
  private final List<Fault> corruptions = new CopyOnWriteArrayList<>();
  private volatile OptionalLong reportedSize = OptionalLong.empty();
  private volatile boolean closed;

  private FaultyBackend(Backend delegate) {
    super(delegate);
  }

  public static FaultyBackend of(Backend backend) {
    return new FaultyBackend(backend);
  }

  /** The next {@code times} calls of these kinds fail; of any kind, if none is named. */
  public Fault failNext(int times, Kind... kinds) {
    Predicate<BackendCall> which =
        kinds.length == 0 ? BackendCall.any() : BackendCall.of(kinds[0], kinds);
    return fail(times, which, () -> new IOException("injected fault"));
  }

  /** Calls fail without having done anything. */
  public Fault fail(Predicate<BackendCall> which) {
    return fail(Long.MAX_VALUE, which, () -> new IOException("injected fault"));
  }

  /** The next {@code times} calls fail with an exception of yours, without having done anything. */
  public Fault fail(
      long times, Predicate<BackendCall> which, Supplier<? extends IOException> exception) {
    return add(faults, new Fault(times, which, throwing(exception), NOTHING));
  }

  /** Calls do their work and fail nevertheless, as if the answer had been lost. */
  public Fault loseAnswer(Predicate<BackendCall> which) {
    return add(
        faults,
        new Fault(
            Long.MAX_VALUE,
            which,
            NOTHING,
            throwing(() -> new IOException("injected fault: answer lost"))));
  }

  /** Writes write the first half of their bytes, then fail. */
  public Fault tear(Predicate<BackendCall> which) {
    return add(tears, new Fault(Long.MAX_VALUE, which, NOTHING, NOTHING));
  }

  /** Reads give one wrong bit, in their first byte. */
  public Fault corrupt(Predicate<BackendCall> which) {
    return add(corruptions, new Fault(Long.MAX_VALUE, which, NOTHING, NOTHING));
  }

  /** Calls begin this much later. */
  public Fault delay(Predicate<BackendCall> which, Duration time) {
    return add(
        faults, new Fault(Long.MAX_VALUE, which, fault -> pause(fault, time.toNanos()), NOTHING));
  }

  /** Calls hang until the fault is closed, then go on. */
  public Fault hold(Predicate<BackendCall> which) {
    return add(
        faults, new Fault(Long.MAX_VALUE, which, fault -> pause(fault, Long.MAX_VALUE), NOTHING));
  }

  /** The resource is away, every call fails, until the fault is closed. */
  public Fault outage() {
    return fail(Long.MAX_VALUE, BackendCall.any(), () -> new IOException("injected outage"));
  }

  /** Says another size from now on than the resource has. */
  public void reportSize(long size) {
    reportedSize = OptionalLong.of(size);
  }

  /** Ends all faults. */
  public void heal() {
    List.of(faults, tears, corruptions).forEach(list -> list.forEach(Fault::close));
    reportedSize = OptionalLong.empty();
  }

  @Override
  public long size() throws IOException {
    OptionalLong reported = reportedSize;
    return reported.isPresent() ? reported.getAsLong() : super.size();
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    int start = dst.position();
    BackendCall call = new BackendCall(Kind.READ, offset, dst.remaining());
    super.read(dst, offset);
    if (call.length() > 0 && takenBy(corruptions, call)) {
      dst.put(start, (byte) (dst.get(start) ^ 1));
    }
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    if (takenBy(tears, new BackendCall(Kind.WRITE, offset, src.remaining()))) {
      super.write(src.slice(src.position(), src.remaining() / 2), offset);
      throw new IOException("injected fault: torn write");
    }
    super.write(src, offset);
  }

  /** Ends the faults, and fails the calls that hang. */
  @Override
  public void close() throws IOException {
    closed = true;
    try {
      super.close();
    } finally {
      heal();
    }
  }

  @Override
  protected <T> T around(BackendCall call, Step<T> step) throws IOException {
    List<Fault> taken = new ArrayList<>();
    for (Fault fault : faults) {
      if (fault.takes(call)) {
        taken.add(fault);
        fault.before.run(fault);
      }
    }
    T result = step.run();
    for (Fault fault : taken) {
      fault.after.run(fault);
    }
    return result;
  }

  private static boolean takenBy(List<Fault> faults, BackendCall call) {
    // Not anyMatch: every fault counts its hits.
    return faults.stream().filter(fault -> fault.takes(call)).count() > 0;
  }

  private static Hook throwing(Supplier<? extends IOException> exception) {
    return fault -> {
      throw exception.get();
    };
  }

  private static Fault add(List<Fault> faults, Fault fault) {
    faults.removeIf(Fault::isOver);
    faults.add(fault);
    return fault;
  }

  private void pause(Fault fault, long nanos) throws IOException {
    try {
      var _ = fault.over.await(nanos, TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while an injected fault held the call");
    }
    if (closed) {
      throw new IOException(this + " was closed while an injected fault held the call");
    }
  }

  /** What happens before or after a call. */
  private interface Hook {
    void run(Fault fault) throws IOException;
  }

  /** Something that goes wrong, until it is closed. */
  public static final class Fault implements AutoCloseable {
    private static final long POLL_NANOS = 100_000;

    private final Predicate<BackendCall> which;
    private final Hook before;
    private final Hook after;
    private final AtomicLong left;
    private final AtomicLong hits = new AtomicLong();
    private final CountDownLatch over = new CountDownLatch(1);

    private Fault(long times, Predicate<BackendCall> which, Hook before, Hook after) {
      this.left = new AtomicLong(times);
      this.which = which;
      this.before = before;
      this.after = after;
    }

    /** How many calls it has taken so far. */
    public long hits() {
      return hits.get();
    }

    /**
     * Waits until it has taken so many calls.
     *
     * @throws AssertionError if that takes longer
     */
    public void awaitHits(long count, Duration within) {
      long deadline = System.nanoTime() + within.toNanos();
      while (hits() < count) {
        if (System.nanoTime() - deadline > 0) {
          throw new AssertionError(
              "the fault took %d calls within %s, not %d".formatted(hits(), within, count));
        }
        LockSupport.parkNanos(POLL_NANOS);
      }
    }

    /** Ends it; calls that it holds go on. */
    @Override
    public void close() {
      over.countDown();
    }

    private boolean isOver() {
      return over.getCount() == 0 || left.get() == 0;
    }

    private boolean takes(BackendCall call) {
      if (isOver() || !which.test(call) || left.getAndUpdate(n -> Math.max(0, n - 1)) == 0) {
        return false;
      }
      hits.incrementAndGet();
      return true;
    }
  }
}
