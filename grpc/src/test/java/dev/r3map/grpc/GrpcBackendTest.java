package dev.r3map.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.spi.BackendOptions;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class GrpcBackendTest {
  private static final int MIB = 1 << 20;

  @TempDir private Path dir;

  private GrpcServer.Builder serve(Backend backend, boolean unix) {
    GrpcServer.Builder builder = GrpcServer.serve(backend);
    return unix ? builder.listen(dir.resolve("r3map.sock")) : builder;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void writesAndReadsOfAnySizeArriveWhole(boolean unix) throws Exception {
    int size = 40 * MIB + 123;
    try (MemoryBackend memory = MemoryBackend.of(size);
        GrpcServer server = serve(memory, unix).start();
        Backend backend = Backends.open(server.uri())) {
      assertThat(backend.size()).isEqualTo(size);
      for (int length : new int[] {0, 1, 4095, 4096, 65_537, MIB, MIB + 1, 32 * MIB, size}) {
        byte[] bytes = Bytes.random(length, length);
        long offset = (size - (long) length) / 3;
        ByteBuffer source = ByteBuffer.allocateDirect(length).put(bytes).flip();
        ByteBuffer target = ByteBuffer.allocateDirect(length);

        backend.write(source, offset);
        backend.read(target, offset);

        assertThat(source.hasRemaining()).isFalse();
        assertThat(target.hasRemaining()).isFalse();
        assertThat(target.flip()).isEqualTo(ByteBuffer.wrap(bytes));
        assertThat(Bytes.read(backend, offset, length)).isEqualTo(bytes);
        assertThat(Bytes.read(memory, offset, length)).isEqualTo(bytes);
      }
    }
  }

  @Test
  void onlyTheRemainingPartOfABufferIsTouched() throws Exception {
    try (MemoryBackend memory = MemoryBackend.of(100);
        GrpcServer server = serve(memory, false).start();
        Backend backend = Backends.open(server.uri())) {
      backend.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 5, 6}, 2, 3), 10);
      ByteBuffer target = ByteBuffer.wrap(new byte[] {9, 9, 9, 9, 9, 9}, 1, 4).slice();
      target.position(1).limit(3);

      backend.read(target, 10);

      assertThat(target.array()).containsExactly(9, 9, 3, 4, 9, 9);
      assertThat(Bytes.read(memory, 8, 8)).containsExactly(0, 0, 3, 4, 5, 0, 0, 0);
    }
  }

  @Test
  void theClientOfARequiredChunkSendsAndAsksForWholeChunksOnly() throws Exception {
    int chunk = 2 * MIB;
    try (Scripted scripted = new Scripted(8L * chunk)) {
      scripted.geometry = new Geometry(chunk, chunk, chunk, false);
      try (GrpcServer server = serve(scripted, false).start();
          Backend backend = Backends.open(server.uri())) {
        byte[] bytes = Bytes.random(3 * chunk, 1);

        Bytes.write(backend, chunk, bytes);

        assertThat(backend.geometry().requiredChunk()).isEqualTo(chunk);
        assertThat(backend.geometry().preferredChunk()).isEqualTo(chunk);
        assertThat(scripted.writes).hasValue(3);
        assertThat(Bytes.read(backend, chunk, 3 * chunk)).isEqualTo(bytes);
      }
    }
  }

  @Test
  void holesAndZerosDoNotTravel() throws Exception {
    AtomicLong sent = new AtomicLong();
    try (MemoryBackend memory = MemoryBackend.of(64 * MIB);
        GrpcServer server =
            GrpcServer.serve(memory).observer((op, in, out, ok) -> sent.addAndGet(out)).start();
        Backend backend = Backends.open(server.uri())) {
      byte[] page = Bytes.random(4096, 3);
      Bytes.write(memory, 5 * MIB + 8192, page);
      byte[] filled = Bytes.random(32 * MIB, 4);
      ByteBuffer target = ByteBuffer.wrap(filled);

      backend.read(target, 0);

      byte[] expected = new byte[32 * MIB];
      System.arraycopy(page, 0, expected, 5 * MIB + 8192, page.length);
      assertThat(filled).isEqualTo(expected);
      assertThat(sent).hasValueLessThan(32 << 10);
    }
  }

  @Test
  void zeroDiscardAndExtentsReachTheBackend() throws Exception {
    try (MemoryBackend memory = MemoryBackend.of(300L * MIB);
        GrpcServer server = serve(memory, false).start();
        Backend backend = Backends.open(server.uri())) {
      Bytes.write(backend, 0, Bytes.random(MIB, 1));
      Bytes.write(backend, 200L * MIB, Bytes.random(MIB, 1));

      assertThat(backend.extents(0, backend.size()))
          .containsExactly(
              Extent.data(0, MIB),
              Extent.hole(MIB, 199L * MIB),
              Extent.data(200L * MIB, MIB),
              Extent.hole(201L * MIB, 99L * MIB));
      backend.zero(0, 250L * MIB);
      backend.discard(0, 300L * MIB);

      assertThat(memory.extents(0, 300L * MIB)).containsExactly(Extent.hole(0, 300L * MIB));
      assertThat(backend.extents(5, 0)).isEmpty();
    }
  }

  @Test
  void manyExtentsAreAskedForPieceByPiece() throws Exception {
    try (MemoryBackend memory = MemoryBackend.of(8L * MIB);
        GrpcServer server = serve(memory, false).start();
        Backend backend = Backends.open(server.uri())) {
      for (long offset = 0; offset < memory.size(); offset += 8192) {
        Bytes.write(memory, offset, new byte[] {1});
      }
      List<Extent> all = new ArrayList<>();

      for (long at = 0; at < backend.size(); at = all.getLast().end()) {
        all.addAll(backend.extents(at, backend.size() - at));
      }

      assertThat(all).hasSize(2048);
      assertThat(all.getLast()).isEqualTo(Extent.hole(8L * MIB - 4096, 4096));
    }
  }

  @Test
  void rangesOutsideAreRefusedBeforeAnythingIsSent() throws Exception {
    AtomicLong calls = new AtomicLong();
    try (MemoryBackend memory = MemoryBackend.of(100);
        GrpcServer server =
            GrpcServer.serve(memory)
                .observer((op, in, out, ok) -> calls.incrementAndGet())
                .start();
        Backend backend = Backends.open(server.uri())) {
      calls.set(0);
      ByteBuffer ten = ByteBuffer.allocate(10);
      assertThatThrownBy(() -> backend.read(ten, 91)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> backend.read(ten, -1)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> backend.write(ten, 91))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> backend.zero(0, 101)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> backend.discard(5, -1))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> backend.extents(101, 0))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThat(calls).hasValue(0);
    }
  }

  @Test
  void readOnlyIsWhatEitherSideSays() throws Exception {
    try (MemoryBackend memory = MemoryBackend.of(100);
        GrpcServer writable = GrpcServer.serve(memory).start();
        GrpcServer sealed = GrpcServer.serve(memory).readOnly(true).start();
        Backend asked = Backends.open(writable.uri(), BackendOptions.DEFAULT.withReadOnly(true));
        Backend told = Backends.open(sealed.uri())) {
      for (Backend backend : List.of(asked, told)) {
        assertThat(backend.geometry().readOnly()).isTrue();
        assertThatThrownBy(() -> Bytes.write(backend, 0, new byte[1]))
            .isInstanceOf(ReadOnlyException.class);
        assertThatThrownBy(() -> backend.zero(0, 1)).isInstanceOf(ReadOnlyException.class);
        backend.sync();
      }
    }
  }

  @Test
  void identityIsTheBackendsAtTheTimeOfTheQuestion() throws Exception {
    try (Scripted scripted = new Scripted(10);
        GrpcServer server = GrpcServer.serve(scripted).start();
        Backend backend = Backends.open(server.uri())) {
      assertThat(backend.identity()).isEmpty();
      scripted.identity = java.util.Optional.of("v\u00f62");
      assertThat(backend.identity()).contains("v\u00f62");
    }
  }

  @Test
  void aSizeThatIsNotTheResourcesIsRefused() throws Exception {
    try (MemoryBackend memory = MemoryBackend.of(100);
        GrpcServer server = GrpcServer.serve(memory).start()) {
      assertThatIOException()
          .isThrownBy(() -> Backends.open(server.uri(), BackendOptions.DEFAULT.withSize(99)))
          .isInstanceOf(PermanentIOException.class)
          .withMessageContaining("100 bytes and not 99");
    }
  }

  @Test
  void sixtyFourThreadsSeeTheirOwnBytesAndNoOthers() throws Exception {
    int threads = 64;
    int each = 512 << 10;
    try (MemoryBackend memory = MemoryBackend.of((long) threads * each);
        GrpcServer server = GrpcServer.serve(memory).start();
        Backend backend = Backends.open(server.uri());
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> done = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        int id = i;
        done.add(
            executor.submit(() -> {
              byte[] mirror = new byte[each];
              Random random = new Random(id);
              for (int round = 0; round < 40; round++) {
                int length = 1 + random.nextInt(each / 4);
                int at = random.nextInt(each - length);
                if (random.nextBoolean()) {
                  byte[] bytes = Bytes.random(length, random.nextLong());
                  Bytes.write(backend, (long) id * each + at, bytes);
                  System.arraycopy(bytes, 0, mirror, at, length);
                } else {
                  assertThat(Bytes.read(backend, (long) id * each + at, length))
                      .isEqualTo(java.util.Arrays.copyOfRange(mirror, at, at + length));
                }
              }
              return null;
            }));
      }
      for (Future<?> future : done) {
        future.get();
      }
    }
  }

  @Test
  void closeFailsCallsInFlightAndLaterOnesAndMayBeRepeated() throws Exception {
    java.util.concurrent.CountDownLatch reading = new java.util.concurrent.CountDownLatch(1);
    try (Scripted scripted = new Scripted(100);
        GrpcServer server = GrpcServer.serve(scripted).start();
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      scripted.script =
          operation -> {
            reading.countDown();
            Thread.sleep(30_000);
          };
      Backend backend = Backends.open(server.uri());
      Future<?> read = executor.submit(() -> Bytes.read(backend, 0, 10));
      reading.await();

      backend.close();
      backend.close();

      assertThatThrownBy(read::get).hasRootCauseInstanceOf(PermanentIOException.class);
      assertThatIOException()
          .isThrownBy(() -> Bytes.read(backend, 0, 1))
          .withMessageContaining("closed");
      assertThatIOException().isThrownBy(() -> Bytes.write(backend, 0, new byte[1]));
      assertThatIOException().isThrownBy(backend::sync);
    }
  }
}
