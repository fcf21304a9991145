package dev.r3map.cli.copy;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.BackendCall.Kind;
import dev.r3map.testkit.CountingBackend;
import dev.r3map.testkit.FaultyBackend;
import dev.r3map.testkit.ForwardingBackend;
import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CopierTest {
  private static final int CHUNK = 256 << 10;
  private static final int WORKERS = 4;
  private static final Duration PATIENCE = Duration.ofSeconds(20);
  private static final Duration NONE = Duration.ZERO;

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 4095, 4097, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 17})
  void everyByteIsCopiedWhateverTheSize(long size) throws Exception {
    try (Backend source = MemoryBackend.of(size);
        Backend target = MemoryBackend.of(size)) {
      fill(source);

      Copier copier = copier(source, target, true);
      copier.run();

      assertSame(source, target);
      assertThat(copier.done()).isEqualTo(size);
      assertThat(copier.written()).isEqualTo(size);
    }
  }

  /** As a server does that was killed: it has the old bytes again, and its sync says so once. */
  @Test
  void aTargetThatLostWhatItHadNotSyncedGetsItAgain() throws Exception {
    long size = 5 * CHUNK + 17;
    AtomicBoolean lost = new AtomicBoolean();
    try (Backend source = MemoryBackend.of(size);
        Backend memory = MemoryBackend.of(size)) {
      fill(source);
      Backend target =
          new ForwardingBackend(memory) {
            @Override
            public void sync() throws IOException {
              if (lost.compareAndSet(false, true)) {
                memory.zero(CHUNK, 3 * CHUNK);
                throw new IOException("the server restarted; write again");
              }
              memory.sync();
            }
          };

      Copier copier = copier(source, target, true);
      copier.run();

      assertSame(source, memory);
      assertThat(copier.done()).isEqualTo(size);
    }
  }

  @Test
  void aTargetThatNeverSyncsFailsTheCopy() throws Exception {
    try (Backend source = MemoryBackend.of(CHUNK);
        Backend memory = MemoryBackend.of(CHUNK)) {
      Backend target =
          new ForwardingBackend(memory) {
            @Override
            public void sync() throws IOException {
              throw new IOException("no");
            }
          };

      assertThatThrownBy(() -> copier(source, target, true).run()).hasMessage("no");
    }
  }

  @Test
  void whatIsSparseStaysSo() throws Exception {
    long size = 1L << 32;
    try (CountingBackend source = CountingBackend.of(file("source", size));
        Backend target = file("target", size)) {
      fill(source, 3 * CHUNK + 4096, 4096);
      fill(source, size - 10, 10);

      Copier copier = copier(source, target, true);
      copier.run();

      assertThat(source.bytes(Kind.READ)).isLessThanOrEqualTo(2 * CHUNK);
      assertSame(source, target);
      assertThat(allocated("target")).isLessThanOrEqualTo(4 * CHUNK);
      assertThat(copier.done()).isEqualTo(size);
    }
  }

  @Test
  void zerosThatTakeSpaceInTheSourceTakeNoneInTheTarget() throws Exception {
    long size = 32 * CHUNK;
    try (Backend source = file("source", size);
        Backend target = file("target", size)) {
      source.write(ByteBuffer.allocate((int) size), 0);
      fill(source, 5 * CHUNK, 4096);

      copier(source, target, true).run();

      assertSame(source, target);
      assertThat(allocated("target")).isLessThanOrEqualTo(CHUNK);
    }
  }

  @Test
  void whatWasInTheTargetIsOverwrittenWithZerosToo() throws Exception {
    try (Backend source = MemoryBackend.of(8 * CHUNK);
        Backend target = MemoryBackend.of(8 * CHUNK)) {
      fill(target);
      fill(source, 2 * CHUNK + 5, 3);
      fill(source, 6 * CHUNK, CHUNK);

      copier(source, target, false).run();

      assertSame(source, target);
    }
  }

  @Test
  void atMostAsManyChunksAsThereAreWorkersAreUnderWay() throws Exception {
    try (CountingBackend source = CountingBackend.of(MemoryBackend.of(64 * CHUNK));
        Backend target = MemoryBackend.of(64 * CHUNK)) {
      fill(source);
      source.reset();

      copier(source, target, true).run();

      assertThat(source.mostAtOnce()).isLessThanOrEqualTo(WORKERS);
      assertThat(source.bytes(Kind.READ)).isEqualTo(64 * CHUNK);
    }
  }

  @Test
  void failuresThatPassAreTriedAgain() throws Exception {
    try (FaultyBackend source = FaultyBackend.of(MemoryBackend.of(8 * CHUNK));
        FaultyBackend target = FaultyBackend.of(MemoryBackend.of(8 * CHUNK))) {
      fill(source);
      source.failNext(3, Kind.READ);
      target.failNext(3, Kind.WRITE);

      copier(source, target, true).run();

      assertSame(source, target);
    }
  }

  @Test
  void aFailureThatStaysNamesTheOffset() throws Exception {
    try (FaultyBackend source = FaultyBackend.of(MemoryBackend.of(8 * CHUNK));
        Backend target = MemoryBackend.of(8 * CHUNK)) {
      fill(source);
      source.fail(BackendCall.touching(3 * CHUNK).and(BackendCall.of(Kind.READ)));

      assertThatThrownBy(() -> new Copier(source, target, CHUNK, 1, true, NONE).run())
          .isInstanceOf(IOException.class)
          .hasMessageContaining("offset " + 3 * CHUNK)
          .hasMessageContaining("injected fault");
    }
  }

  @Test
  void whatCannotPassIsNotTriedAgain() throws Exception {
    for (IOException reason :
        new IOException[] {
          new PermanentIOException("refused"), new NoSpaceException("disk full"),
        }) {
      try (Backend source = MemoryBackend.of(CHUNK);
          FaultyBackend target = FaultyBackend.of(MemoryBackend.of(CHUNK))) {
        fill(source);
        target.fail(1, BackendCall.of(Kind.WRITE), () -> reason);

        assertThatThrownBy(() -> copier(source, target, true).run())
            .hasMessageContaining(reason.getMessage());
      }
    }
  }

  @Test
  void anInterruptEndsACopyThatHangs() throws Exception {
    try (FaultyBackend source = FaultyBackend.of(MemoryBackend.of(8 * CHUNK));
        Backend target = MemoryBackend.of(8 * CHUNK)) {
      fill(source);
      FaultyBackend.Fault held = source.hold(BackendCall.of(Kind.READ));
      AtomicBoolean interrupted = new AtomicBoolean();
      Thread copying =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  copier(source, target, true).run();
                } catch (InterruptedException e) {
                  interrupted.set(true);
                } catch (IOException e) {
                  throw new AssertionError(e);
                }
              });

      held.awaitHits(WORKERS, PATIENCE);
      copying.interrupt();

      assertThat(copying.join(PATIENCE)).isTrue();
      assertThat(interrupted).isTrue();
    }
  }

  @Test
  void chunksFitWhatBothSidesRequire() throws Exception {
    try (Backend blocks = new Blocks(MemoryBackend.of(100 * 512), 512);
        Backend pages = new Blocks(MemoryBackend.of(100 * 512), 3 * 512)) {
      assertThat(Chunking.choose(0, blocks, pages) % (3 * 512)).isZero();
      assertThat(Chunking.choose(1536, blocks, pages)).isEqualTo(1536);
      assertThatThrownBy(() -> Chunking.choose(512, blocks, pages))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("512")
          .hasMessageContaining("1536");
    }
  }

  @Test
  void aTargetThatTakesWholeBlocksGetsWholeBlocks() throws Exception {
    int block = 3 * 4096;
    long size = 40L * block;
    try (Backend source = MemoryBackend.of(size);
        Backend target = new Blocks(MemoryBackend.of(size), block)) {
      fill(source, block + 100, 50);
      fill(source, 20L * block, 10 * block);

      int chunk = Chunking.choose(0, source, target);
      new Copier(source, target, chunk, WORKERS, true, NONE).run();

      assertSame(source, target);
    }
  }

  @Test
  void comparingFindsTheFirstDifferentByteAlsoAgainstAHole() throws Exception {
    long size = 6 * CHUNK;
    try (Backend left = MemoryBackend.of(size);
        Backend right = MemoryBackend.of(size)) {
      fill(left, 0, CHUNK);
      fill(right, 0, CHUNK);
      assertSame(left, right);

      right.write(ByteBuffer.wrap(new byte[] {1}), 4 * CHUNK + 7);

      assertThatThrownBy(() -> assertSame(left, right))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("offset " + (4 * CHUNK + 7));
    }
  }

  private static Copier copier(Backend source, Backend target, boolean targetIsZero)
      throws IOException {
    return new Copier(source, target, CHUNK, WORKERS, targetIsZero, PATIENCE);
  }

  private static void assertSame(Backend left, Backend right) throws Exception {
    Comparer comparer = new Comparer(left, right, 3 * 4096, WORKERS, NONE);
    comparer.run();
    assertThat(comparer.done()).isEqualTo(left.size());
  }

  private static void fill(Backend backend) throws IOException {
    fill(backend, 0, (int) backend.size());
  }

  private static void fill(Backend backend, long offset, int length) throws IOException {
    backend.write(Payload.of(7).bytes(offset, length), offset);
  }

  private Backend file(String name, long size) throws IOException {
    return FileBackend.open(folder.resolve(name), BackendOptions.DEFAULT.withCreate(size));
  }

  private long allocated(String name) throws Exception {
    Process stat = new ProcessBuilder("stat", "-c", "%b", folder.resolve(name).toString()).start();
    return 512 * Long.parseLong(new String(stat.getInputStream().readAllBytes(), UTF_8).strip());
  }
}
