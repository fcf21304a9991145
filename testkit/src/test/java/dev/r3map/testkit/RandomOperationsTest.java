package dev.r3map.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.testkit.RandomOperations.Opener;
import dev.r3map.testkit.RandomOperations.Subject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RandomOperationsTest {
  private static final int SIZE = 200_003;

  @Test
  void correctSubjectsPass(@TempDir Path folder) {
    assertThatCode(() -> RandomOperations.on(() -> Subject.of(MemoryBackend.of(SIZE))).run())
        .doesNotThrowAnyException();
    Opener file =
        () -> {
          Path path = Files.write(folder.resolve("file"), new byte[SIZE]);
          return Subject.of(
              FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE));
        };
    assertThatCode(() -> RandomOperations.on(file).count(100).run()).doesNotThrowAnyException();
  }

  @Test
  void failureIsShrunkToTheOperationsItNeeds() {
    Throwable failure =
        catchThrowable(() -> RandomOperations.on(this::losingLongWrites).seed(1).run());

    assertThat(failure)
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("of which 1 suffice")
        .hasMessageContaining("-Dr3map.seed=1")
        .hasMessageContaining("WRITE");
  }

  /** Forgets the last byte of writes of more than 64 KiB. */
  private Subject losingLongWrites() throws IOException {
    return Subject.of(
        new ForwardingBackend(MemoryBackend.of(SIZE)) {
          @Override
          public void write(ByteBuffer src, long offset) throws IOException {
            if (src.remaining() > 64 << 10) {
              src.limit(src.limit() - 1);
            }
            super.write(src, offset);
          }
        });
  }

  @Test
  void sameSeedGivesTheSameOperations() throws Exception {
    List<BackendCall> first = calls(7);

    assertThat(calls(7)).isEqualTo(first);
    assertThat(calls(8)).isNotEqualTo(first);
  }

  @Test
  void offsetsAndLengthsKeepToTheUnitAndTheMaximum() throws Exception {
    List<BackendCall> calls = new ArrayList<>();
    for (int seed = 0; seed < 20; seed++) {
      calls.addAll(calls(seed, 512, 50_000));
    }
    assertThat(calls)
        .allSatisfy(call -> {
          assertThat(call.offset() % 512).isZero();
          assertThat(call.length()).isLessThanOrEqualTo(50_000);
          if (call.offset() + call.length() < SIZE) {
            assertThat(call.length() % 512).isZero();
          }
        })
        .anySatisfy(call -> assertThat(call.offset() + call.length()).isEqualTo(SIZE));
  }

  private static List<BackendCall> calls(long seed) throws Exception {
    return calls(seed, 1, 300_000);
  }

  private static List<BackendCall> calls(long seed, int unit, int maxLength) throws Exception {
    List<CountingBackend> opened = new ArrayList<>();
    RandomOperations.on(
            () -> {
              Backend memory = MemoryBackend.of(SIZE);
              CountingBackend counting = CountingBackend.of(memory);
              opened.add(counting);
              return Subject.of(counting);
            })
        .seed(seed)
        .unit(unit)
        .maxLength(maxLength)
        .run();
    return opened.getLast().calls();
  }
}
