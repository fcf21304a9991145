package dev.r3map.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.testkit.Probe.Range;
import dev.r3map.testkit.RandomOperations.Subject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;

/**
 * Proves that a backend keeps the contract of {@link Backend}: extend it, say how one is made, and
 * run it with JUnit.
 *
 * <pre>{@code
 * class TapeBackendTest extends BackendConformance {
 *   @TempDir Path folder;
 *
 *   @Override
 *   protected Backend create(long size) throws IOException {
 *     return new TapeBackend(folder.resolve(UUID.randomUUID() + ".tape"), size);
 *   }
 * }
 * }</pre>
 *
 * <p>The kit keeps to the geometry that the backend tells. What does not apply to a backend is
 * skipped by overriding a method below, or by letting {@link #create} abort for a size that cannot
 * be had ({@link org.junit.jupiter.api.Assumptions#abort}).
 */
@Timeout(value = 3, unit = TimeUnit.MINUTES, threadMode = ThreadMode.SEPARATE_THREAD)
public abstract class BackendConformance {
  private static final int WORKERS = 16;
  private static final Duration SOON = Duration.ofSeconds(5);
  private static final long MOMENT_NANOS = 20_000;

  private final List<Backend> opened = new ArrayList<>();

  protected BackendConformance() {}

  /** Makes a resource that was never written, and opens it. The kit closes what this returns. */
  protected abstract Backend create(long size) throws Exception;

  /**
   * Closes a backend and opens its resource, which {@link #create} has made, once more.
   *
   * @return empty, without having closed it, if the resource would be gone
   */
  protected Optional<Backend> reopen(Backend backend) throws Exception {
    return Optional.empty();
  }

  /**
   * Makes a resource with this content, and opens it for reading only.
   *
   * @return empty if there is no such thing
   */
  protected Optional<Backend> createReadOnly(long size, Payload content) throws Exception {
    return Optional.empty();
  }

  /** All sizes must be multiples of this: 1, unless the backend is something like a disk. */
  protected int sizeUnit() {
    return 1;
  }

  /** The size most tests use; it should span some chunks and end in a short one. */
  protected long typicalSize() {
    return (1 << 20) + 4097;
  }

  /** A size beyond what 32 bits count, of which little is written; 0 if that cannot be had. */
  protected long hugeSize() {
    return (5L << 30) + 4097;
  }

  /** Closes what the test left open. */
  @AfterEach
  public void closeWhatIsOpen() throws IOException {
    IOException failure = null;
    for (Backend backend : opened) {
      try {
        backend.close();
      } catch (IOException e) {
        failure = e;
      }
    }
    opened.clear();
    if (failure != null) {
      throw failure;
    }
  }

  private Probe fresh(long size) throws Exception {
    return probe(create(fit(size)));
  }

  private Probe fresh() throws Exception {
    return fresh(typicalSize());
  }

  private Probe filled(Payload payload) throws Exception {
    Probe probe = fresh();
    probe.write(payload, probe.all());
    return probe;
  }

  private Probe probe(Backend backend) throws IOException {
    opened.add(backend);
    return new Probe(backend);
  }

  private long fit(long size) {
    return (size + sizeUnit() - 1) / sizeUnit() * sizeUnit();
  }

  // Size and geometry

  @Test
  public void sizeIsThatOfTheResourceToTheByte() throws Exception {
    for (long size : new long[] {1, 511, 4095, 4096, 4097, 65_537, typicalSize()}) {
      assertThat(fresh(size).backend().size()).isEqualTo(fit(size));
    }
  }

  @Test
  public void sizeStaysTheSameWhateverIsWritten() throws Exception {
    Probe probe = filled(Payload.of(1));
    probe.backend().zero(0, probe.size());
    probe.backend().discard(0, probe.size());
    probe.backend().sync();

    assertThat(probe.backend().size()).isEqualTo(fit(typicalSize()));
  }

  @Test
  public void emptyResourceTakesEmptyRangesOnly() throws Exception {
    Backend backend = fresh(0).backend();

    assertThat(backend.size()).isZero();
    backend.read(ByteBuffer.allocate(0), 0);
    backend.write(ByteBuffer.allocate(0), 0);
    backend.zero(0, 0);
    backend.discard(0, 0);
    backend.sync();
    assertThat(backend.extents(0, 0)).isEmpty();
    assertOutside(() -> backend.read(ByteBuffer.allocate(1), 0));
    assertOutside(() -> backend.write(ByteBuffer.allocate(1), 0));
  }

  @Test
  public void geometryIsConstantAndFitsItself() throws Exception {
    Backend backend = fresh().backend();

    Geometry geometry = backend.geometry();

    assertThat(backend.geometry()).isEqualTo(geometry);
    assertThat(geometry.readOnly()).isFalse();
    assertThat(geometry.preferredChunk() % geometry.requiredChunk()).isZero();
    assertThat(geometry.preferredChunk()).isLessThanOrEqualTo(geometry.maxTransfer());
  }

  @Test
  public void oneTransferMayBeAsLargeAsTheGeometrySays() throws Exception {
    Payload payload = Payload.of(2);
    Probe probe = fresh(Math.max(typicalSize(), (8 << 20) + 4097));

    Range largest = new Range(0, Math.min(probe.piece(), probe.size()));
    probe.write(payload, largest);

    probe.verify(payload, largest);
    probe.verifyZeros(new Range(largest.end(), probe.size()));
  }

  // Reading and writing

  @Test
  public void bytesNeverWrittenReadAsZeros() throws Exception {
    for (long size : new long[] {1, 4097, 262_145, typicalSize()}) {
      Probe probe = fresh(size);
      probe.verifyZeros(probe.all());
      for (Range range : probe.ranges()) {
        probe.verifyZeros(range);
      }
    }
  }

  @Test
  public void bytesAroundAWriteStayZero() throws Exception {
    for (Range range : fresh().ranges().subList(0, 8)) {
      Probe probe = fresh();
      Payload payload = Payload.of(range.offset());

      probe.write(payload, range);

      probe.verifyZeros(new Range(0, range.offset()));
      probe.verify(payload, range);
      probe.verifyZeros(new Range(range.end(), probe.size()));
    }
  }

  @Test
  public void whatIsWrittenIsReadBackAndItsNeighboursStay() throws Exception {
    Payload before = Payload.of(3);
    Probe probe = filled(before);
    for (Range range : probe.ranges()) {
      Payload payload = Payload.of(range.offset() + range.length());
      long from = Math.max(0, range.offset() - 5000);
      Range around = probe.range(from, Math.min(probe.size(), range.end() + 5000) - from);

      probe.write(payload, range);

      probe.verify(before, new Range(around.offset(), range.offset()));
      probe.verify(payload, range);
      probe.verify(before, new Range(range.end(), around.end()));
      probe.write(before, range);
    }
    probe.verify(before, probe.all());
  }

  @Test
  public void everyPartOfAWriteReadsAsItWasWritten() throws Exception {
    Payload payload = Payload.of(4);
    Probe probe = filled(payload);
    for (Range range : probe.ranges()) {
      probe.verify(payload, range);
    }
    ThreadLocalRandom random = ThreadLocalRandom.current();
    for (int i = 0; i < 100; i++) {
      long offset = random.nextLong(probe.size());
      probe.verify(
          payload, probe.range(offset, random.nextLong(Math.min(70_000, probe.size() - offset))));
    }
  }

  @Test
  public void lastBytesOfTheResourceAreBytesLikeAll() throws Exception {
    for (long size : new long[] {1, 4095, 4097, 262_145, typicalSize()}) {
      Payload payload = Payload.of(size);
      Probe probe = fresh(size);

      Range tail = probe.range(probe.size() - 1, 1);
      probe.write(payload, tail);

      probe.verify(payload, tail);
      probe.verifyZeros(new Range(0, tail.offset()));
      assertThat(probe.backend().size()).isEqualTo(probe.size());
    }
  }

  @Test
  public void emptyRangesAreTakenAnywhereInTheResource() throws Exception {
    Payload payload = Payload.of(5);
    Probe probe = filled(payload);
    Backend backend = probe.backend();
    for (long offset : new long[] {0, probe.alignDown(4096), probe.size()}) {
      backend.read(ByteBuffer.allocate(0), offset);
      backend.write(ByteBuffer.allocate(0), offset);
      backend.zero(offset, 0);
      backend.discard(offset, 0);
      assertThat(backend.extents(offset, 0)).isEmpty();
    }
    probe.verify(payload, probe.all());
  }

  @Test
  public void rangesOutsideAreRefusedAndChangeNothing() throws Exception {
    Payload payload = Payload.of(6);
    Probe probe = filled(payload);
    Backend backend = probe.backend();
    int unit = probe.unit();
    long size = probe.size();
    long pastEnd = probe.alignDown(size + unit - 1);
    long[] offsets = {
      -1, -unit, Long.MIN_VALUE, pastEnd, pastEnd + unit, Long.MAX_VALUE, Long.MAX_VALUE - unit
    };
    for (long offset : offsets) {
      assertOutside(() -> backend.read(ByteBuffer.allocate(unit), offset));
      assertOutside(() -> backend.write(ByteBuffer.allocate(unit), offset));
      assertOutside(() -> backend.zero(offset, unit));
      assertOutside(() -> backend.discard(offset, unit));
      assertOutside(() -> backend.extents(offset, unit));
    }
    long lastUnit = probe.alignDown(size - 1);
    assertOutside(() -> backend.read(ByteBuffer.allocate(2 * unit), lastUnit));
    assertOutside(() -> backend.write(ByteBuffer.allocateDirect(2 * unit), lastUnit));
    assertOutside(() -> backend.read(ByteBuffer.allocate(0), pastEnd + unit));
    assertOutside(() -> backend.write(ByteBuffer.allocate(0), -1));
    for (long length : new long[] {-1, Long.MIN_VALUE, size + unit, Long.MAX_VALUE}) {
      assertOutside(() -> backend.zero(0, length));
      assertOutside(() -> backend.discard(unit, length));
      assertOutside(() -> backend.extents(lastUnit, length));
    }
    probe.verify(payload, probe.all());
    assertThat(backend.size()).isEqualTo(size);
  }

  @Test
  public void offsetsBeyondThirtyTwoBitsAreOffsets() throws Exception {
    assumeTrue(hugeSize() > 0, "no resource of that size here");
    Payload payload = Payload.of(7);
    Probe probe = fresh(hugeSize());
    List<Range> ranges = new ArrayList<>();
    for (long border : new long[] {0, 1L << 31, 1L << 32, probe.size()}) {
      long from = Math.max(0, border - 5000);
      ranges.add(probe.range(from, Math.min(probe.size() - from, 10_000)));
    }
    for (Range range : ranges) {
      probe.write(payload, range);
    }
    probe.backend().sync();

    for (Range range : ranges) {
      probe.verify(payload, range);
    }
    for (long between : new long[] {1L << 20, 3L << 30, probe.size() - (1 << 20)}) {
      probe.verifyZeros(probe.range(between, 10_000));
    }
  }

  @Test
  public void randomOperationsDoWhatAModelDoes() throws Exception {
    Probe probe = fresh(1);
    for (int run = 0; run < 3; run++) {
      RandomOperations.on(() -> new ReopeningSubject(create(fit(300_001))))
          .count(120)
          .unit(probe.unit())
          .maxLength(Math.min(probe.piece(), 300_000))
          .run();
    }
  }

  // Zeros, holes and what nobody needs any more

  @Test
  public void zeroMakesZerosOfExactlyItsRange() throws Exception {
    Payload payload = Payload.of(10);
    Probe probe = filled(payload);
    for (Range range : probe.ranges()) {
      probe.backend().zero(range.offset(), range.length());

      probe.verify(payload, new Range(0, range.offset()));
      probe.verifyZeros(range);
      probe.verify(payload, new Range(range.end(), probe.size()));
      probe.write(payload, range);
    }
    probe.verify(payload, probe.all());
  }

  @Test
  public void zeroOfWhatWasNeverWrittenChangesNothing() throws Exception {
    Probe probe = fresh();

    probe.backend().zero(0, probe.size());

    probe.verifyZeros(probe.all());
  }

  @Test
  public void discardedBytesAreZerosOrWhatTheyWereAndOthersStay() throws Exception {
    Payload payload = Payload.of(11);
    Probe probe = filled(payload);
    for (Range range : probe.ranges()) {
      probe.backend().discard(range.offset(), range.length());

      probe.verify(payload, new Range(0, range.offset()));
      probe.verify(payload, new Range(range.end(), probe.size()));
      verifyZeroOr(payload, probe, range);
      probe.write(payload, range);
    }
    probe.verify(payload, probe.all());
  }

  private static void verifyZeroOr(Payload payload, Probe probe, Range range) throws IOException {
    int length = (int) Math.min(probe.piece(), range.length());
    ByteBuffer bytes = probe.read(range.offset(), length);
    for (int i = 0; i < length; i++) {
      byte actual = bytes.get(bytes.position() + i);
      if (actual != 0 && actual != payload.at(range.offset() + i)) {
        throw new AssertionError(
            "byte %d is 0x%02x after a discard, neither zero nor what it was"
                .formatted(range.offset() + i, actual));
      }
    }
  }

  @Test
  public void extentsAreInOrderWithoutGapsAndTheirHolesAreZeros() throws Exception {
    Payload payload = Payload.of(12);
    Probe probe = fresh();
    Range written = probe.range(probe.size() / 2 + 5, 70_000);
    Range zeroed = probe.range(written.offset() + 20_000, 20_000);
    probe.write(payload, written);
    probe.backend().zero(zeroed.offset(), zeroed.length());
    List<Range> asked = new ArrayList<>(probe.ranges());
    asked.add(probe.all());
    asked.add(written);
    for (Range range : asked) {
      for (Extent extent : probe.extents(range)) {
        if (extent.hole()) {
          probe.verifyZeros(new Range(extent.offset(), extent.end()));
        }
      }
    }
  }

  // Durability and identity

  @Test
  public void whatWasSyncedIsThereWhenTheResourceIsOpenedAgain() throws Exception {
    Payload payload = Payload.of(20);
    Probe probe = fresh();
    Range first = probe.range(4095, 10_000);
    Range zeroed = probe.range(6000, 2000);
    Range last = probe.range(probe.size() - 1, 1);
    probe.write(payload, first);
    probe.write(payload, last);
    probe.backend().zero(zeroed.offset(), zeroed.length());
    probe.backend().sync();

    Probe again = again(probe);

    assertThat(again.size()).isEqualTo(probe.size());
    again.verifyZeros(new Range(0, first.offset()));
    again.verify(payload, new Range(first.offset(), zeroed.offset()));
    again.verifyZeros(zeroed);
    again.verify(payload, new Range(zeroed.end(), first.end()));
    again.verifyZeros(new Range(first.end(), last.offset()));
    again.verify(payload, last);
  }

  @Test
  public void resourceOpenedAgainTakesWritesAsBefore() throws Exception {
    Payload old = Payload.of(21);
    Payload payload = Payload.of(22);
    Probe probe = filled(old);
    probe.backend().sync();

    Probe again = again(probe);
    Range range = again.range(65_535, 4097);
    again.write(payload, range);
    again.backend().sync();
    Probe third = again(again);

    third.verify(old, new Range(0, range.offset()));
    third.verify(payload, range);
    third.verify(old, new Range(range.end(), third.size()));
  }

  @Test
  public void syncMayBeCalledWhileOthersWrite() throws Exception {
    Payload payload = Payload.of(23);
    Probe probe = fresh();
    long share = probe.alignDown(probe.size() / WORKERS);
    Workers.run(
        WORKERS,
        worker -> {
          if (worker % 4 == 0) {
            probe.backend().sync();
          }
          probe.write(payload, new Range(worker * share, (worker + 1) * share));
          probe.backend().sync();
        });
    probe.verify(payload, new Range(0, WORKERS * share));
  }

  @Test
  public void identityStaysTheSameAsLongAsNobodyElseChangesTheResource() throws Exception {
    Probe probe = fresh();
    Optional<String> identity = probe.backend().identity();

    probe.write(Payload.of(24), probe.all());
    probe.backend().sync();

    assertThat(probe.backend().identity()).isEqualTo(identity);
    Probe again = again(probe);
    assertThat(again.backend().identity()).isEqualTo(identity);
  }

  private Probe again(Probe probe) throws Exception {
    Optional<Backend> again = reopen(probe.backend());
    assumeTrue(again.isPresent(), "gone when it is closed");
    return probe(again.get());
  }

  // Many callers at once

  @Test
  public void writersOfNeighbouringBytesDoNotDisturbEachOther() throws Exception {
    Probe probe = fresh();
    // Odd stripes: most chunks, blocks and words are shared by two workers.
    long stripe = probe.alignDown(10_007 + probe.unit() - 1);
    int stripes = Math.toIntExact(probe.size() / stripe);
    for (int round = 0; round < 2; round++) {
      Payload payload = Payload.of(30 + round);
      Workers.run(
          WORKERS,
          worker -> {
            for (int i = worker; i < stripes; i += WORKERS) {
              Range range = new Range(i * stripe, (i + 1) * stripe);
              probe.write(payload, range);
              probe.verify(payload, range);
            }
          });
      probe.verify(payload, new Range(0, stripes * stripe));
    }
  }

  @Test
  public void writersOfTheSameBytesLeaveBytesThatOneOfThemWrote() throws Exception {
    Probe probe = fresh();
    Range range = probe.range(4099, Math.min(70_001, probe.piece() - probe.unit()));
    int length = (int) range.length();
    Workers.run(
        WORKERS,
        worker -> {
          byte[] mine = new byte[length];
          Arrays.fill(mine, (byte) (worker + 1));
          for (int i = 0; i < 10; i++) {
            if (worker % 2 == 0) {
              probe.backend().write(ByteBuffer.wrap(mine), range.offset());
            } else {
              assertWrittenByEvenWorkers(probe.read(range.offset(), length), true);
            }
          }
        });
    ByteBuffer last = probe.read(range.offset(), length);
    assertWrittenByEvenWorkers(last, false);
    assertThat(probe.read(range.offset(), length)).as("read once more").isEqualTo(last);
    probe.verifyZeros(new Range(0, range.offset()));
    probe.verifyZeros(new Range(range.end(), probe.size()));
  }

  private static void assertWrittenByEvenWorkers(ByteBuffer bytes, boolean mayBeZero) {
    for (int i = bytes.position(); i < bytes.limit(); i++) {
      byte actual = bytes.get(i);
      boolean written = actual > 0 && actual <= WORKERS && actual % 2 == 1;
      if (!written && !(mayBeZero && actual == 0)) {
        throw new AssertionError("0x%02x is what nobody wrote".formatted(actual));
      }
    }
  }

  @Test
  public void interruptDoesNotReachOtherCallersAndIsKept() throws Exception {
    Payload payload = Payload.of(31);
    Probe probe = filled(payload);
    AtomicBoolean stop = new AtomicBoolean();
    Workers.run(
        WORKERS,
        worker -> {
          if (worker > 0) {
            while (!stop.get()) {
              touch(probe, payload, worker);
            }
            return;
          }
          try {
            for (int i = 0; i < 60; i++) {
              interruptCaller(probe, payload, i);
            }
          } finally {
            stop.set(true);
          }
        });
    probe.verify(payload, probe.all());
  }

  /** Reads or writes something; the bytes are the same before and after. */
  private static void touch(Probe probe, Payload payload, int worker) throws IOException {
    // Virtual threads that never wait for anything starve the others, even if they yield.
    LockSupport.parkNanos(MOMENT_NANOS);
    long offset = ThreadLocalRandom.current().nextLong(Math.max(1, probe.size() - 10_000));
    Range range = probe.range(offset, Math.min(probe.size() - offset, 10_000));
    if (worker % 3 == 0) {
      probe.write(payload, range);
    } else {
      probe.verify(payload, range);
    }
  }

  private static void interruptCaller(Probe probe, Payload payload, int round) throws Exception {
    CompletableFuture<Void> outcome = new CompletableFuture<>();
    CountDownLatch called = new CountDownLatch(1);
    Runnable calls =
        () -> {
          try {
            if (round % 4 == 0) {
              Thread.currentThread().interrupt();
            }
            do {
              touch(probe, payload, round);
              called.countDown();
            } while (!Thread.currentThread().isInterrupted());
            outcome.complete(null);
          } catch (Throwable e) {
            if (e instanceof IOException && Thread.currentThread().isInterrupted()) {
              outcome.complete(null);
            } else {
              outcome.completeExceptionally(
                  new AssertionError("failed in a thread that is not interrupted any more", e));
            }
          } finally {
            called.countDown();
          }
        };
    Thread caller =
        round % 2 == 0 ? Thread.ofVirtual().start(calls) : Thread.ofPlatform().start(calls);
    called.await();
    caller.interrupt();
    caller.join();
    outcome.get();
  }

  // The end

  @Test
  public void closeMayBeCalledTwiceAndLaterCallsFail() throws Exception {
    Probe probe = filled(Payload.of(40));
    Backend backend = probe.backend();

    backend.close();
    backend.close();

    assertThatThrownBy(() -> probe.read(0, probe.unit())).isInstanceOf(IOException.class);
    assertThatThrownBy(() -> backend.write(ByteBuffer.allocate(probe.unit()), 0))
        .isInstanceOf(IOException.class);
    assertThatThrownBy(() -> backend.zero(0, probe.unit())).isInstanceOf(IOException.class);
    assertThatThrownBy(backend::sync).isInstanceOf(IOException.class);
    backend.close();
  }

  @Test
  public void closeEndsCallsInFlight() throws Exception {
    Payload payload = Payload.of(41);
    Probe probe = filled(payload);
    CountDownLatch called = new CountDownLatch(WORKERS - 1);
    Workers.run(
        WORKERS,
        worker -> {
          if (worker == 0) {
            called.await();
            probe.backend().close();
            return;
          }
          try {
            touch(probe, payload, worker);
            called.countDown();
            while (true) {
              touch(probe, payload, worker);
            }
          } catch (IOException e) {
            // As it must be; anything else fails the test.
          } finally {
            called.countDown();
          }
        });
  }

  @Test
  public void closeLeavesNothingBehind() throws Exception {
    useAndClose();
    Leaks before = Leaks.snapshot();

    useAndClose();

    before.assertNone(SOON);
  }

  private void useAndClose() throws Exception {
    Payload payload = Payload.of(42);
    Probe probe = fresh();
    probe.write(payload, probe.all());
    Workers.run(WORKERS, worker -> probe.verify(payload, probe.all()));
    probe.backend().close();
  }

  // Read-only resources

  @Test
  public void readOnlyResourceIsReadAndNotWritten() throws Exception {
    Payload payload = Payload.of(50);
    long size = fit(typicalSize());
    Optional<Backend> readOnly = createReadOnly(size, payload);
    assumeTrue(readOnly.isPresent(), "there is no such thing");
    Probe probe = probe(readOnly.get());
    Backend backend = probe.backend();

    assertThat(backend.size()).isEqualTo(size);
    assertThat(backend.geometry().readOnly()).isTrue();
    ByteBuffer zeros = ByteBuffer.allocate(probe.unit());
    assertThatThrownBy(() -> backend.write(zeros, 0)).isInstanceOf(ReadOnlyException.class);
    assertThatThrownBy(() -> backend.zero(0, probe.unit())).isInstanceOf(ReadOnlyException.class);
    Optional<String> identity = backend.identity();
    backend.sync();
    for (Range range : probe.ranges()) {
      probe.verify(payload, range);
    }
    Workers.run(WORKERS, worker -> probe.verify(payload, probe.all()));
    assertOutside(() -> backend.read(ByteBuffer.allocate(2 * probe.unit()), probe.alignDown(size)));
    assertThat(backend.identity()).isEqualTo(identity);
    backend.close();
    assertThatThrownBy(() -> probe.read(0, probe.unit())).isInstanceOf(IOException.class);
  }

  private final class ReopeningSubject implements Subject {
    private Backend backend;

    private ReopeningSubject(Backend backend) {
      this.backend = backend;
    }

    @Override
    public long size() throws IOException {
      return backend.size();
    }

    @Override
    public void read(ByteBuffer dst, long offset) throws IOException {
      backend.read(dst, offset);
    }

    @Override
    public void write(ByteBuffer src, long offset) throws IOException {
      backend.write(src, offset);
    }

    @Override
    public boolean zero(long offset, long length) throws IOException {
      backend.zero(offset, length);
      return true;
    }

    @Override
    public void sync() throws IOException {
      backend.sync();
    }

    @Override
    public void reopen() throws Exception {
      backend.sync();
      backend = BackendConformance.this.reopen(backend).orElse(backend);
    }

    @Override
    public void close() throws IOException {
      backend.close();
    }
  }

  private static void assertOutside(Attempt attempt) {
    assertThatThrownBy(attempt::run).isInstanceOf(IndexOutOfBoundsException.class);
  }

  private interface Attempt {
    void run() throws Exception;
  }
}
