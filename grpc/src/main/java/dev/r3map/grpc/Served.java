package dev.r3map.grpc;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.Ranges;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What the handlers of one server share: the backend, who the server is, and its memory. */
final class Served {
  private static final Logger LOG = System.getLogger(Served.class.getName());

  /** Memory is counted in units, because a semaphore counts in ints and few fit any size. */
  private static final int UNIT = 64 << 10;

  /** Who finds no memory for so long is better off trying later. */
  private static final Duration MEMORY_WAIT = Duration.ofSeconds(5);

  private final Backend backend;
  private final boolean readOnly;
  private final long size;
  private final Geometry geometry;
  private final int frame;
  private final Duration roundTrip;
  private final GrpcServer.@Nullable Observer observer;
  private final long instance = new SecureRandom().nextLong() | 1;
  private final Fences fences = new Fences();
  private final int units;
  private final Semaphore memory;
  private final Set<Thread> workers = ConcurrentHashMap.newKeySet();

  Served(
      Backend backend,
      boolean readOnly,
      long memory,
      Duration roundTrip,
      GrpcServer.@Nullable Observer observer)
      throws IOException {
    this.backend = backend;
    Geometry own = backend.geometry();
    this.readOnly = readOnly || own.readOnly();
    this.geometry = this.readOnly ? own.asReadOnly() : own;
    this.size = backend.size();
    this.frame = Limits.frame(own);
    this.roundTrip = roundTrip;
    this.observer = observer;
    // The largest request must fit, or it would wait for ever.
    this.units = Math.max(units(memory), units(Limits.MAX_TRANSFER));
    this.memory = new Semaphore(units, true);
  }

  Backend backend() {
    return backend;
  }

  boolean readOnly() {
    return readOnly;
  }

  long size() {
    return size;
  }

  Geometry geometry() {
    return geometry;
  }

  int frame() {
    return frame;
  }

  /** The most bytes that one call of the backend takes, in whole chunks. */
  int piece() {
    return geometry.maxTransfer() - geometry.maxTransfer() % geometry.requiredChunk();
  }

  long instance() {
    return instance;
  }

  Fences fences() {
    return fences;
  }

  /** The threads of the calls under way. */
  Set<Thread> workers() {
    return workers;
  }

  /** For trials: as if the client were so far away. */
  void travel() throws InterruptedException {
    if (!roundTrip.isZero()) {
      Thread.sleep(roundTrip);
    }
  }

  void observe(MethodDescriptor<?, ?> method, long received, long sent, boolean ok) {
    String name = method.getBareMethodName();
    if (observer == null || name == null) {
      return;
    }
    try {
      observer.served(name, received, sent, ok);
    } catch (RuntimeException e) {
      LOG.log(Level.WARNING, "the observer of the server failed", e);
    }
  }

  /** Checks a range of a request before anything is done for it. */
  void check(long offset, long length, long most) throws Refusal {
    if (length < 0 || length > most || offset < 0) {
      throw new Refusal(
          Status.Code.INVALID_ARGUMENT,
          "bad range (offset=%d, length=%d), %d bytes are the most"
              .formatted(offset, length, most));
    }
    Ranges.check(offset, length, size);
  }

  void checkInstance(long meant) throws Refusal {
    if (meant != 0 && meant != instance) {
      throw new Refusal(ErrorKind.INSTANCE, "the server has restarted");
    }
  }

  void checkWritable() throws Refusal {
    if (readOnly) {
      throw new Refusal(ErrorKind.READ_ONLY, "the resource is read-only");
    }
  }

  /** Takes memory if there is some. */
  boolean tryReserve(long bytes) {
    return memory.tryAcquire(units(bytes));
  }

  void reserve(long bytes) throws Refusal, InterruptedException {
    if (!memory.tryAcquire(units(bytes), MEMORY_WAIT.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new Refusal(ErrorKind.TRANSIENT, "the server is overloaded");
    }
  }

  void release(long bytes) {
    memory.release(units(bytes));
  }

  private static int units(long bytes) {
    return (int) Math.min((bytes + UNIT - 1) / UNIT, Integer.MAX_VALUE >> 4);
  }
}
