package dev.r3map.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.testkit.BackendCall.Kind;
import dev.r3map.testkit.FaultyBackend.Fault;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FaultyBackendTest {
  private static final Duration SOON = Duration.ofSeconds(10);

  private FaultyBackend backend;

  @BeforeEach
  void open() throws IOException {
    backend = FaultyBackend.of(MemoryBackend.of(10_000));
  }

  @AfterEach
  void close() throws IOException {
    backend.close();
  }

  @Test
  void withoutFaultsNothingFails() throws IOException {
    write(0, 3);
    assertThat(read(0)).isEqualTo((byte) 3);
    assertThat(backend.size()).isEqualTo(10_000);
  }

  @Test
  void nextCallsOfAKindFailAndNoMore() throws IOException {
    backend.failNext(2, Kind.SYNC);

    read(0);
    assertThatThrownBy(backend::sync).isInstanceOf(IOException.class);
    assertThatThrownBy(backend::sync).isInstanceOf(IOException.class);
    backend.sync();
  }

  @Test
  void callsThatTouchAByteFailUntilTheFaultEnds() throws IOException {
    try (Fault fault = backend.fail(BackendCall.touching(5000))) {
      read(4999);
      assertThatThrownBy(() -> read(5000)).isInstanceOf(IOException.class);
      assertThat(fault.hits()).isOne();
    }
    read(5000);
  }

  @Test
  void exceptionMayBeOfAnyKind() {
    backend.fail(1, BackendCall.of(Kind.WRITE), () -> new NoSpaceException("full"));

    assertThatThrownBy(() -> write(0, 1)).isInstanceOf(NoSpaceException.class);
  }

  @Test
  void failedCallsDoNothingAndThoseWhoseAnswerIsLostDo() throws IOException {
    backend.failNext(1);
    assertThatThrownBy(() -> write(0, 1)).isInstanceOf(IOException.class);
    assertThat(read(0)).isZero();
    try (Fault lost = backend.loseAnswer(BackendCall.of(Kind.WRITE))) {
      assertThatThrownBy(() -> write(0, 2)).isInstanceOf(IOException.class);
      assertThat(lost.hits()).isOne();
    }
    assertThat(read(0)).isEqualTo((byte) 2);
  }

  @Test
  void tornWritesWriteTheirFirstHalf() throws IOException {
    try (Fault torn = backend.tear(BackendCall.any())) {
      assertThatThrownBy(() -> backend.write(Payload.of(1).bytes(0, 100), 0))
          .isInstanceOf(IOException.class);
      assertThat(torn.hits()).isOne();
    }
    assertThat(read(49)).isEqualTo(Payload.of(1).at(49));
    assertThat(read(50)).isZero();
  }

  @Test
  void corruptedReadsHaveAWrongBit() throws IOException {
    write(0, 4);
    try (Fault corrupted = backend.corrupt(BackendCall.touching(0))) {
      assertThat(read(0)).isEqualTo((byte) 5);
      assertThat(corrupted.hits()).isOne();
    }
    assertThat(read(0)).isEqualTo((byte) 4);
  }

  @Test
  void heldCallsHangUntilTheyAreLetGo() throws Exception {
    CompletableFuture<Byte> answer;
    try (Fault held = backend.hold(BackendCall.of(Kind.READ))) {
      answer = readInBackground();
      held.awaitHits(1, SOON);
      write(0, 9);
      assertThat(answer).isNotDone();
    }
    assertThat(answer.join()).isEqualTo((byte) 9);
  }

  @Test
  void closeFailsHeldCalls() throws IOException {
    try (Fault held = backend.hold(BackendCall.of(Kind.READ))) {
      CompletableFuture<Byte> answer = readInBackground();
      held.awaitHits(1, SOON);

      backend.close();

      assertThatThrownBy(answer::join)
          .isInstanceOf(CompletionException.class)
          .hasRootCauseInstanceOf(IOException.class);
    }
  }

  @Test
  void delayedCallsTakeThatMuchLonger() throws IOException {
    try (Fault delay = backend.delay(BackendCall.any(), Duration.ofMillis(20))) {
      long start = System.nanoTime();
      read(0);
      assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(20_000_000);
      assertThat(delay.hits()).isOne();
    }
  }

  @Test
  void outageFailsEverythingUntilItEnds() throws IOException {
    try (Fault outage = backend.outage()) {
      assertThatThrownBy(() -> read(0)).isInstanceOf(IOException.class);
      assertThatThrownBy(() -> write(0, 1)).isInstanceOf(IOException.class);
      assertThatThrownBy(backend::sync).isInstanceOf(IOException.class);
      assertThatThrownBy(backend::identity).isInstanceOf(IOException.class);
      assertThat(outage.hits()).isEqualTo(4);
    }
    read(0);
  }

  @Test
  void anotherSizeMayBeReportedAndHealingEndsIt() throws IOException {
    backend.reportSize(5);
    assertThat(backend.size()).isEqualTo(5);
    backend.heal();
    assertThat(backend.size()).isEqualTo(10_000);
  }

  @Test
  void callsAreCountedByKindBytesAndHowManyRanAtOnce() throws Exception {
    CountingBackend counting = CountingBackend.of(backend);
    Thread[] readers = new Thread[3];
    try (Fault held = backend.hold(BackendCall.of(Kind.READ))) {
      for (int i = 0; i < readers.length; i++) {
        int offset = i * 1000;
        readers[i] =
            Thread.ofVirtual()
                .start(() -> {
                  try {
                    counting.read(ByteBuffer.allocate(10), offset);
                  } catch (IOException e) {
                    throw new AssertionError(e);
                  }
                });
      }
      held.awaitHits(3, SOON);
    }
    for (Thread reader : readers) {
      reader.join();
    }
    counting.sync();

    assertThat(counting.mostAtOnce()).isEqualTo(3);
    assertThat(counting.count(Kind.READ)).isEqualTo(3);
    assertThat(counting.bytes(Kind.READ)).isEqualTo(30);
    assertThat(counting.count(BackendCall.touching(1005))).isOne();
    assertThat(counting.calls()).last().isEqualTo(new BackendCall(Kind.SYNC, 0, 0));
    counting.reset();
    assertThat(counting.calls()).isEmpty();
    assertThat(counting.mostAtOnce()).isZero();
  }

  private CompletableFuture<Byte> readInBackground() {
    return CompletableFuture.supplyAsync(
        () -> {
          try {
            return read(0);
          } catch (IOException e) {
            throw new CompletionException(e);
          }
        },
        task -> Thread.ofVirtual().start(task));
  }

  private byte read(long offset) throws IOException {
    ByteBuffer one = ByteBuffer.allocate(1);
    backend.read(one, offset);
    return one.get(0);
  }

  private void write(long offset, int value) throws IOException {
    backend.write(ByteBuffer.wrap(new byte[] {(byte) value}), offset);
  }
}
