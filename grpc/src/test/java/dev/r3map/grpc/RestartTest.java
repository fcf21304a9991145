package dev.r3map.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.spi.BackendOptions;
import io.grpc.Server;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RestartTest {
  private static final byte[] BYTES = Bytes.random(300_000, 1);

  private Scripted scripted;
  private GrpcServer server;
  private Backend backend;

  @BeforeEach
  void open() throws IOException {
    scripted = new Scripted(1 << 20);
    server = GrpcServer.serve(scripted).start();
    backend = Backends.open(server.uri());
  }

  @AfterEach
  void close() throws IOException {
    backend.close();
    server.close();
    scripted.close();
  }

  private void kill() throws IOException {
    server.close(Duration.ZERO);
  }

  private void restart(Backend served) throws IOException {
    int port = server.port();
    kill();
    server = GrpcServer.serve(served).listen("127.0.0.1", port).start();
  }

  @Test
  void aRestartedServerIsUsedByTheNextCall() throws Exception {
    Bytes.write(backend, 5, BYTES);

    restart(scripted);

    assertThat(eventually(() -> Bytes.read(backend, 5, BYTES.length))).isEqualTo(BYTES);
    restart(scripted);
    eventually(() -> {
      Bytes.write(backend, 7, BYTES);
      return null;
    });
    assertThat(Bytes.read(scripted.memory, 7, BYTES.length)).isEqualTo(BYTES);
  }

  @Test
  void whileTheServerIsAwayCallsFailSoonAndAreWorthAnotherTry() throws Exception {
    int port = server.port();
    kill();
    long start = System.nanoTime();
    for (int i = 0; i < 5; i++) {
      assertThatIOException()
          .isThrownBy(() -> Bytes.read(backend, 0, 1))
          .isNotInstanceOf(PermanentIOException.class);
    }
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(3));

    server = GrpcServer.serve(scripted).listen("127.0.0.1", port).start();
    start = System.nanoTime();
    eventually(() -> Bytes.read(backend, 0, 1));

    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(1));
  }

  @Test
  void aCallInFlightFailsWhenTheServerIsKilled() throws Exception {
    CountDownLatch reading = new CountDownLatch(1);
    scripted.script =
        operation -> {
          reading.countDown();
          Thread.sleep(30_000);
        };
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<?> read = executor.submit(() -> Bytes.read(backend, 0, 1));
      reading.await();

      kill();

      assertThat(read).failsWithin(Duration.ofSeconds(5));
    }
  }

  @Test
  void aSizeThatChangedFailsEveryLaterCallForGood() throws Exception {
    try (Scripted other = new Scripted(1 << 19)) {
      restart(other);
      for (int i = 0; i < 2; i++) {
        assertChanged(() -> Bytes.read(backend, 0, 1), "524288 bytes and not 1048576");
        assertChanged(() -> Bytes.write(backend, 0, new byte[1]), "524288");
        assertChanged(() -> backend.zero(0, 1), "524288");
        assertChanged(backend::sync, "524288");
        assertChanged(backend::identity, "524288");
      }
      assertThat(other.writes).hasValue(0);
    }
  }

  @Test
  void anotherVersionIsRefusedToAReaderButNotToTheOneWhoWroteIt() throws Exception {
    scripted.identity = Optional.of("v1");
    try (Backend reader = Backends.open(server.uri());
        Backend writer = Backends.open(server.uri())) {
      Bytes.write(writer, 0, new byte[] {1});
      scripted.identity = Optional.of("v2");

      restart(scripted);

      assertChanged(() -> Bytes.read(reader, 0, 1), "version 'v2' and not 'v1'");
      assertThat(eventually(() -> Bytes.read(writer, 0, 1))).containsExactly(1);
    }
  }

  @Test
  void syncFailsAfterARestartUntilTheWritesWereRepeated() throws Exception {
    Bytes.write(backend, 0, BYTES);
    backend.sync();
    Bytes.write(backend, 1000, new byte[2000]);
    Bytes.write(backend, 5000, new byte[10]);
    restart(scripted);
    eventually(() -> Bytes.read(backend, 0, 1));

    assertSyncRefused(2010);
    Bytes.write(backend, 900, new byte[2100]);
    assertSyncRefused(10);
    Bytes.write(backend, 100_000, new byte[10]);
    assertSyncRefused(10);
    backend.zero(4096, 4096);

    backend.sync();
  }

  @Test
  void aRestartThatOnlySyncNoticesFailsItToo() throws Exception {
    Bytes.write(backend, 0, BYTES);
    restart(scripted);

    eventually(() -> {
      assertSyncRefused(BYTES.length);
      return null;
    });

    assertThat(scripted.syncs.get()).isLessThanOrEqualTo(1);
  }

  @Test
  void aRestartWithNothingUnsyncedLetsSyncPass() throws Exception {
    Bytes.write(backend, 0, BYTES);
    backend.sync();
    restart(scripted);
    eventually(() -> {
      backend.sync();
      return null;
    });
  }

  @Test
  void aGoServersReconnectCountsAsARestart() throws Exception {
    GoServer go = new GoServer(1000);
    Server first = go.start();
    try (Backend client =
        Backends.open(
            URI.create("grpc://localhost:" + first.getPort()),
            BackendOptions.DEFAULT.withSize(1000))) {
      Bytes.write(client, 0, new byte[100]);
      client.sync();
      Bytes.write(client, 0, new byte[100]);
      int port = first.getPort();
      first.shutdownNow().awaitTermination();
      Server second = go.start(port);
      try {
        eventually(() -> Bytes.read(client, 0, 1));
        assertThatIOException()
            .isThrownBy(client::sync)
            .isNotInstanceOf(PermanentIOException.class)
            .withMessageContaining("100 bytes");
        Bytes.write(client, 0, new byte[100]);
        client.sync();
      } finally {
        second.shutdownNow();
      }
    }
  }

  @Test
  void aWriteGivenUpNeverLandsAfterItsSuccessor() throws Exception {
    CountDownLatch stuck = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    try (Backend hasty =
            Backends.open(
                server.uri(), BackendOptions.DEFAULT.withTimeout(Duration.ofMillis(500)));
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      scripted.script =
          operation -> {
            if (stuck.getCount() > 0) {
              stuck.countDown();
              // A backend that ignores interrupts for a while, as a disk may.
              while (true) {
                try {
                  release.await();
                  return;
                } catch (InterruptedException e) {
                  // That is what this is about.
                }
              }
            }
          };
      assertThatIOException().isThrownBy(() -> Bytes.write(hasty, 0, new byte[] {1}));
      stuck.await();

      Future<?> successor =
          executor.submit(() ->
              eventually(() -> {
                Bytes.write(hasty, 0, new byte[] {2});
                return null;
              }));
      Thread.sleep(100);
      assertThat(scripted.writes).hasValue(0);
      release.countDown();
      successor.get();

      assertThat(Bytes.read(scripted.memory, 0, 1)).containsExactly(2);
    }
  }

  @Test
  void writersThatTryAgainLoseNothingToAServerThatKeepsRestarting() throws Exception {
    int writers = 8;
    int each = 100_000;
    byte[][] expected = new byte[writers][each];
    AtomicBoolean restarting = new AtomicBoolean(true);
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> done = new ArrayList<>();
      for (int i = 0; i < writers; i++) {
        int id = i;
        done.add(
            executor.submit(() -> {
              Random random = new Random(id);
              while (restarting.get()) {
                byte[] bytes = Bytes.random(1 + random.nextInt(each / 2), random.nextLong());
                int at = random.nextInt(each - bytes.length);
                eventually(() -> {
                  Bytes.write(backend, (long) id * each + at, bytes);
                  return null;
                });
                System.arraycopy(bytes, 0, expected[id], at, bytes.length);
                assertThat(eventually(() -> Bytes.read(backend, (long) id * each, each)))
                    .isEqualTo(expected[id]);
              }
              return null;
            }));
      }
      for (int i = 0; i < 10; i++) {
        Thread.sleep(100);
        restart(scripted);
      }
      restarting.set(false);
      for (Future<?> future : done) {
        future.get();
      }
    }
    for (int i = 0; i < writers; i++) {
      assertThat(Bytes.read(scripted.memory, (long) i * each, each)).isEqualTo(expected[i]);
    }
  }

  private void assertSyncRefused(long lost) {
    assertThatIOException()
        .isThrownBy(backend::sync)
        .isNotInstanceOf(PermanentIOException.class)
        .withMessageContaining("restarted since " + lost + " bytes");
  }

  private static void assertChanged(Action action, String why) throws Exception {
    IOException thrown =
        eventually(() -> {
          try {
            action.run();
            return new IOException("nothing thrown");
          } catch (ResourceChangedException e) {
            return e;
          }
        });
    assertThat(thrown).isInstanceOf(ResourceChangedException.class).hasMessageContaining(why);
  }

  @FunctionalInterface
  private interface Action {
    void run() throws Exception;
  }

  @FunctionalInterface
  private interface Attempt<T> {
    T run() throws Exception;
  }

  /** Tries again as long as that is said to be worth it. */
  private static <T> T eventually(Attempt<T> attempt) throws Exception {
    while (true) {
      try {
        return attempt.run();
      } catch (PermanentIOException e) {
        throw e;
      } catch (IOException e) {
        Thread.sleep(10);
      } catch (AssertionError e) {
        if (!String.valueOf(e.getMessage()).contains("refused")) {
          throw e;
        }
        Thread.sleep(10);
      }
    }
  }
}
