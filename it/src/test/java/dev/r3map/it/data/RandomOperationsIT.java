package dev.r3map.it.data;

import dev.r3map.it.data.Setting.Kind;
import dev.r3map.it.data.Setting.Store;
import dev.r3map.it.data.Setting.Wire;
import dev.r3map.it.support.FileTester;
import dev.r3map.testkit.Payload;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Two programs and the serving JVM read, write, map, sync, reopen and remount at random, and a
 * model knows what each of them must see. At the end the resource itself holds, byte by byte, what
 * the model does.
 *
 * <p>Each run takes another seed, and prints it; {@code -Dr3map.seed=...} repeats one.
 */
@ExtendWith(MountsAndLeavesNothing.class)
@Timeout(60)
class RandomOperationsIT {
  static final String SEED_PROPERTY = "r3map.seed";

  private static final int OPERATIONS = 700;
  private static final int MIB = 1 << 20;

  /** How much is compared at once. */
  private static final int STRETCH = 4 * MIB;

  /** Up to here, everything is read through the mount, too. */
  private static final long SMALL = 16 * MIB;

  private static final String WRITABLE =
      """
      kind      | chunk  | size   | store  | wire
      DIRECT    | 4KiB   | 1MiB+1 | FILE   | TCP
      DIRECT    | 64KiB  | 1      | FILE   | UNIX
      DIRECT    | 256KiB | 4095   | MEMORY | UNIX
      DIRECT    | 256KiB | 4097   | MEMORY | TCP
      DIRECT    | 4MiB   | 5GiB   | FILE   | TCP
      ON_DEMAND | 4KiB   | 4095   | FILE   | TCP
      ON_DEMAND | 64KiB  | 5GiB   | MEMORY | TCP
      ON_DEMAND | 64KiB  | 4097   | FILE   | TCP
      ON_DEMAND | 256KiB | 1      | MEMORY | TCP
      ON_DEMAND | 4MiB   | 1MiB+1 | MEMORY | UNIX
      MANAGED   | 4KiB   | 5GiB   | MEMORY | UNIX
      MANAGED   | 4KiB   | 1      | FILE   | TCP
      MANAGED   | 64KiB  | 4095   | MEMORY | TCP
      MANAGED   | 256KiB | 1MiB+1 | FILE   | TCP
      MANAGED   | 4MiB   | 4097   | FILE   | TCP
      CACHED    | 4KiB   | 4097   | MEMORY | UNIX
      CACHED    | 64KiB  | 1MiB+1 | FILE   | UNIX
      CACHED    | 256KiB | 5GiB   | FILE   | TCP
      CACHED    | 4MiB   | 4095   | FILE   | TCP
      CACHED    | 4MiB   | 1      | FILE   | UNIX
      """;

  private static final String READ_ONLY =
      """
      kind      | chunk  | size   | store  | wire
      DIRECT    | 4KiB   | 4097   | FILE   | TCP
      DIRECT    | 64KiB  | 5GiB   | FILE   | UNIX
      ON_DEMAND | 64KiB  | 1MiB+1 | FILE   | TCP
      MANAGED   | 4KiB   | 1MiB+1 | MEMORY | UNIX
      MANAGED   | 256KiB | 5GiB   | FILE   | TCP
      MANAGED   | 4MiB   | 4095   | FILE   | TCP
      CACHED    | 64KiB  | 1MiB+1 | FILE   | TCP
      CACHED    | 4MiB   | 1      | MEMORY | UNIX
      """;

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofSeconds(90));

  private static List<FileTester> programs;

  @TempDir Path folder;

  @BeforeAll
  static void startPrograms() throws IOException {
    programs = List.of(FileTester.start(), FileTester.start());
  }

  @AfterAll
  static void endPrograms() throws IOException {
    for (FileTester program : programs) {
      program.close();
    }
  }

  @Test
  void theTableHasEveryPairOfChoices() {
    Tables.verifyPairs(WRITABLE);
  }

  @ParameterizedTest(name = "{argumentsWithNames}")
  @CsvSource(delimiter = '|', useHeadersInDisplayName = true, textBlock = WRITABLE)
  void everyoneSeesWhatEveryoneWrote(Kind kind, String chunk, String size, Store store, Wire wire)
      throws Exception {
    walk(Setting.of(kind, chunk, size, store, wire), false);
  }

  @ParameterizedTest(name = "{argumentsWithNames}")
  @CsvSource(delimiter = '|', useHeadersInDisplayName = true, textBlock = READ_ONLY)
  void aReadOnlyMountShowsTheResourceAndRefusesAllElse(
      Kind kind, String chunk, String size, Store store, Wire wire) throws Exception {
    walk(Setting.of(kind, chunk, size, store, wire), true);
  }

  private void walk(Setting setting, boolean readOnly) throws Exception {
    long seed = Long.getLong(SEED_PROPERTY, System.nanoTime());
    System.out.printf("%s, read-only %b: -D%s=%d%n", setting, readOnly, SEED_PROPERTY, seed);
    Model model = new Model(setting.size());
    try (Served served = Served.start(setting, folder)) {
      layOut(served, model, new SplittableRandom(seed));
      try (Mounted mounted =
          Mounted.at(folder.resolve("a file"), served.uri(), setting, readOnly)) {
        new RandomWalk(seed, setting, readOnly, mounted, model, programs).run(OPERATIONS);
        mounted.region().sync();
        verify(served, model);
        verify(mounted, model);
      }
      if (setting.size() <= SMALL) {
        verify(served, model);
      }
    }
  }

  /** Islands of data in a sea of zeros. */
  private static void layOut(Served served, Model model, SplittableRandom random)
      throws IOException {
    long size = model.size();
    for (long island : new long[] {0, 2L << 30, 4L << 30, size - MIB}) {
      long offset = Math.max(0, island - random.nextInt(10_000));
      if (offset < size) {
        int length = (int) Math.min(size - offset, 1 + random.nextInt(MIB));
        long payload = random.nextLong();
        served.write(Payload.of(payload).bytes(offset, length), offset);
        model.write(offset, length, payload);
      }
    }
  }

  private static void verify(Served served, Model model) throws IOException {
    ByteBuffer stretch = ByteBuffer.allocate(STRETCH);
    for (long at = 0; at < model.size(); at += STRETCH) {
      int length = (int) Math.min(STRETCH, model.size() - at);
      served.read(stretch.clear().limit(length), at);
      model.verify("the resource", stretch.flip(), at);
    }
  }

  private static void verify(Mounted mounted, Model model) throws IOException {
    if (model.size() <= SMALL) {
      FileTester program = programs.getFirst();
      program.openToRead(mounted.path());
      int size = (int) model.size();
      for (int at = 0; at < size; at += STRETCH) {
        int length = Math.min(STRETCH, size - at);
        model.verify("the file", program.read(at, length), at, length);
      }
      program.closeFile();
    }
  }
}
