package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.OPT_EXTENDED_HEADERS;
import static dev.r3map.nbd.protocol.Handshake.OPT_STRUCTURED_REPLY;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.nbd.FuzzedRequest.Terms;
import dev.r3map.nbd.server.Exports;
import dev.r3map.nbd.server.Service;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;

/** What is served, and how. All of it follows from the seed. */
record FuzzSetup(int headers, boolean allocation, boolean readOnly, boolean slow, int faults) {
  static final int SLOT = 64 << 10;
  static final int SLOTS = 8;
  static final int SIZE = SLOTS * SLOT + 123;
  static final int MAX_TRANSFER = 48 << 10;

  static FuzzSetup of(long seed) {
    SplittableRandom random = new SplittableRandom(seed ^ 1);
    int headers = List.of(0, OPT_STRUCTURED_REPLY, OPT_EXTENDED_HEADERS).get(random.nextInt(3));
    return new FuzzSetup(
        headers,
        headers != 0 && random.nextInt(4) != 0,
        random.nextInt(8) == 0,
        random.nextInt(3) != 0,
        random.nextInt(3) == 0 ? random.nextInt(1, 8) : 0);
  }

  Service serve(MemoryBackend memory, long seed) throws IOException {
    Backend backend = slow ? new Slow(memory, faults, seed) : memory;
    NbdExport export = NbdExport.of("", backend).withReadOnly(readOnly);
    return new Service(new Exports(List.of(export)), null, true, 1 << 20, Duration.ofSeconds(30));
  }

  Terms terms() {
    return new Terms(
        headers != 0,
        headers == OPT_EXTENDED_HEADERS,
        allocation,
        SIZE,
        readOnly,
        slow ? 512 : 1,
        slow ? MAX_TRANSFER : 32 << 20,
        !slow);
  }

  /** Never immediate, has limits, and fails now and then before it has done anything. */
  private static final class Slow extends ForwardingBackend {
    private static final List<Throwable> FAILURES =
        List.of(
            new IOException("no \u00e4\u00f6\u00fc".repeat(100)),
            new IOException(),
            new IllegalStateException("a bug"),
            new IndexOutOfBoundsException("outside"),
            new StackOverflowError(),
            new OutOfMemoryError("pretended"),
            new AssertionError("wrong"));

    private final int faults;
    private final SplittableRandom random;

    Slow(Backend delegate, int faults, long seed) {
      super(delegate);
      this.faults = faults;
      this.random = new SplittableRandom(seed);
    }

    @Override
    public Geometry geometry() {
      return new Geometry(512, 0, MAX_TRANSFER, false);
    }

    @Override
    protected <T> T around(BackendCall call, Step<T> step) throws IOException {
      if (faults > 0 && call.kind() != BackendCall.Kind.CLOSE) {
        fail(call);
      }
      return step.run();
    }

    private synchronized void fail(BackendCall call) throws IOException {
      if (call.kind() == BackendCall.Kind.SYNC || random.nextInt(faults) != 0) {
        return;
      }
      if (random.nextInt(4) == 0) {
        Thread.currentThread().interrupt();
      }
      switch (FAILURES.get(random.nextInt(FAILURES.size()))) {
        case IOException e -> throw e;
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        case Throwable e -> throw new AssertionError(e);
      }
    }
  }
}
