package dev.r3map.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ServerSocket;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class FailureTest {
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
  void close() throws Exception {
    scripted.script = operation -> {};
    backend.close();
    server.close();
    scripted.close();
  }

  @Test
  void whatTheServersBackendThrowsIsThrownHereAndTheConnectionLives() throws Exception {
    List<IOException> failures =
        List.of(
            new NoSpaceException("disk full"),
            new ReadOnlyException("sealed"),
            new ResourceChangedException("another file"),
            new PermanentIOException("bad name"),
            new IOException("try again"));
    for (IOException failure : failures) {
      scripted.script =
          operation -> {
            throw failure;
          };
      for (Call call :
          List.<Call>of(
              () -> Bytes.read(backend, 512, 10),
              () -> Bytes.write(backend, 512, new byte[10]),
              () -> backend.zero(512, 10),
              () -> backend.discard(512, 10),
              () -> backend.extents(512, 10),
              () -> backend.sync())) {
        IOException thrown = catchThrowableOfType(IOException.class, call::run);

        assertThat(thrown)
            .hasMessageContaining(failure.getMessage())
            .hasMessageContaining(server.uri().toString());
        assertThat(thrown instanceof PermanentIOException)
            .isEqualTo(failure instanceof PermanentIOException);
        if (failure.getClass() != IOException.class) {
          assertThat(thrown).isInstanceOf(failure.getClass());
        }
      }
    }
    scripted.script = operation -> {};
    assertThat(Bytes.read(backend, 0, 3)).containsExactly(0, 0, 0);
  }

  @Test
  void aBrokenBackendTellsTheClientNothingOfItsInsides() {
    scripted.script =
        operation -> {
          throw new IllegalStateException("secret insides");
        };
    assertThatIOException()
        .isThrownBy(() -> Bytes.read(backend, 0, 10))
        .withMessageContaining("unexpected failure in the server")
        .withMessageNotContaining("secret");
  }

  @Test
  void messagesNameActionRangeAndResource() {
    scripted.script =
        operation -> {
          throw new IOException("boom");
        };
    assertThatIOException()
        .isThrownBy(() -> Bytes.read(backend, 512, 10))
        .withMessage("cannot read (offset=512, length=10) %s: boom", server.uri());
  }

  @Test
  void aServerThatDoesNotAnswerFailsTheCallAfterTheTimeoutAndIsToldToStop() throws Exception {
    CountDownLatch interrupted = new CountDownLatch(1);
    scripted.script =
        operation -> {
          try {
            Thread.sleep(30_000);
          } catch (InterruptedException e) {
            interrupted.countDown();
            throw e;
          }
        };
    try (Backend hasty =
        Backends.open(server.uri(), BackendOptions.DEFAULT.withTimeout(Duration.ofMillis(300)))) {
      long start = System.nanoTime();
      assertThatIOException()
          .isThrownBy(() -> Bytes.read(hasty, 0, 10))
          .isNotInstanceOf(PermanentIOException.class)
          .withMessageContaining("offset=0, length=10");
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
      interrupted.await();
      scripted.script = operation -> {};
      assertThat(Bytes.read(hasty, 0, 1)).hasSize(1);
    }
  }

  @Test
  void aSyncMayTakeLongerThanTheTimeout() throws Exception {
    scripted.script = operation -> Thread.sleep(operation.equals("sync") ? 700 : 0);
    try (Backend hasty =
        Backends.open(server.uri(), BackendOptions.DEFAULT.withTimeout(Duration.ofMillis(500)))) {
      hasty.sync();
      assertThat(scripted.syncs).hasValue(1);
    }
  }

  @Test
  void aTransferMayTakeLongerThanTheTimeoutAsLongAsItGoesOn() throws Exception {
    byte[] bytes = Bytes.random(1 << 20, 1);
    try (Scripted slow = new Scripted(8 << 20);
        GrpcServer slowServer = GrpcServer.serve(slow).start();
        Backend hasty =
            Backends.open(
                slowServer.uri(), BackendOptions.DEFAULT.withTimeout(Duration.ofMillis(600)))) {
      for (long at = 0; at < slow.size(); at += bytes.length) {
        Bytes.write(slow, at, bytes);
      }
      slow.script = operation -> Thread.sleep(150);
      assertThat(Bytes.read(hasty, 0, 8 << 20)).hasSize(8 << 20).endsWith(bytes);
    }
  }

  @Test
  void aSilentServerIsGivenUpWhileOpening() throws Exception {
    try (ServerSocket silent = new ServerSocket(0, 5, java.net.InetAddress.getLoopbackAddress())) {
      URI uri = URI.create("grpc://127.0.0.1:" + silent.getLocalPort());
      assertThatIOException()
          .isThrownBy(
              () -> Backends.open(uri, BackendOptions.DEFAULT.withTimeout(Duration.ofMillis(300))))
          .withMessageContaining(uri.toString());
    }
  }

  @Test
  void nobodyListeningIsToldAtOnce() throws Exception {
    int free;
    try (ServerSocket socket = new ServerSocket(0)) {
      free = socket.getLocalPort();
    }
    long start = System.nanoTime();
    assertThatIOException()
        .isThrownBy(() -> Backends.open(URI.create("grpc://localhost:" + free)))
        .isNotInstanceOf(PermanentIOException.class)
        .withMessageContaining("Connection refused");
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
  }

  @Test
  void anInterruptFailsItsOwnCallOnly() throws Exception {
    CountDownLatch reading = new CountDownLatch(2);
    CountDownLatch go = new CountDownLatch(1);
    scripted.script =
        operation -> {
          reading.countDown();
          go.await();
        };
    AtomicReference<Throwable> ended = new AtomicReference<>();
    AtomicBoolean stillInterrupted = new AtomicBoolean();
    byte[][] other = new byte[1][];
    Thread victim =
        Thread.startVirtualThread(() -> {
          try {
            Bytes.read(backend, 0, 10);
          } catch (IOException e) {
            ended.set(e);
            stillInterrupted.set(Thread.currentThread().isInterrupted());
          }
        });
    Thread bystander =
        Thread.startVirtualThread(() -> {
          try {
            other[0] = Bytes.read(backend, 0, 10);
          } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
          }
        });
    reading.await();

    victim.interrupt();
    victim.join();
    go.countDown();
    bystander.join();

    assertThat(ended.get()).isInstanceOf(InterruptedIOException.class);
    assertThat(stillInterrupted).isTrue();
    assertThat(other[0]).hasSize(10);
  }

  @FunctionalInterface
  private interface Call {
    void run() throws Exception;
  }
}
