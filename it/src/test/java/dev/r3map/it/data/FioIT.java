package dev.r3map.it.data;

import dev.r3map.it.data.Setting.Kind;
import dev.r3map.it.data.Setting.Store;
import dev.r3map.it.data.Setting.Wire;
import dev.r3map.it.support.Fio;
import dev.r3map.it.support.Fio.Engine;
import dev.r3map.testkit.Watchdog;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * fio writes through a mount and verifies what it wrote: there, in the resource itself, and through
 * a read-only mount of it.
 */
@ExtendWith(MountsAndLeavesNothing.class)
@Timeout(90)
class FioIT {
  private static final int MIB = 1 << 20;
  private static final long FOUR_GIB = 4L << 30;

  /** What is written of a resource that is larger. */
  private static final long MOST = 12 * MIB;

  private static final Duration PULL_LIMIT = Duration.ofSeconds(30);

  private static final String TABLE =
      """
      kind      | chunk  | size   | engine   | order      | store  | wire
      DIRECT    | 4KiB   | 4097   | MMAP     | SEQUENTIAL | FILE   | UNIX
      DIRECT    | 64KiB  | 1MiB+1 | PSYNC    | SEQUENTIAL | MEMORY | UNIX
      DIRECT    | 256KiB | 1MiB+1 | IO_URING | RANDOM     | FILE   | TCP
      DIRECT    | 4MiB   | 5GiB   | LIBAIO   | RANDOM     | FILE   | TCP
      ON_DEMAND | 4KiB   | 1MiB+1 | LIBAIO   | SEQUENTIAL | FILE   | TCP
      ON_DEMAND | 64KiB  | 5GiB   | MMAP     | RANDOM     | FILE   | TCP
      ON_DEMAND | 256KiB | 5GiB   | PSYNC    | RANDOM     | MEMORY | TCP
      ON_DEMAND | 4MiB   | 4097   | IO_URING | SEQUENTIAL | MEMORY | UNIX
      MANAGED   | 4KiB   | 5GiB   | IO_URING | RANDOM     | FILE   | TCP
      MANAGED   | 64KiB  | 5GiB   | LIBAIO   | SEQUENTIAL | MEMORY | UNIX
      MANAGED   | 256KiB | 1MiB+1 | MMAP     | SEQUENTIAL | FILE   | TCP
      MANAGED   | 4MiB   | 4097   | PSYNC    | RANDOM     | FILE   | UNIX
      CACHED    | 4KiB   | 1MiB+1 | PSYNC    | RANDOM     | MEMORY | UNIX
      CACHED    | 64KiB  | 4097   | IO_URING | RANDOM     | FILE   | TCP
      CACHED    | 256KiB | 5GiB   | MMAP     | RANDOM     | MEMORY | UNIX
      CACHED    | 256KiB | 4097   | LIBAIO   | SEQUENTIAL | FILE   | TCP
      CACHED    | 4MiB   | 1MiB+1 | MMAP     | SEQUENTIAL | MEMORY | TCP
      """;

  /** Not among the pairs, which would take too long: less than a page, and less than anything. */
  private static final String SMALLEST =
      """
      kind      | chunk  | size   | engine   | order      | store  | wire
      DIRECT    | 4KiB   | 1      | MMAP     | SEQUENTIAL | FILE   | TCP
      CACHED    | 64KiB  | 1      | LIBAIO   | RANDOM     | MEMORY | UNIX
      ON_DEMAND | 4KiB   | 4095   | PSYNC    | RANDOM     | MEMORY | UNIX
      MANAGED   | 256KiB | 4095   | IO_URING | SEQUENTIAL | FILE   | TCP
      """;

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(2));

  @TempDir Path folder;

  enum Order {
    SEQUENTIAL,
    RANDOM
  }

  @BeforeAll
  static void needsFio() {
    Fio.require();
  }

  @Test
  void theTableHasEveryPairOfChoices() {
    Tables.verifyPairs(TABLE);
  }

  @ParameterizedTest(name = "{argumentsWithNames}")
  @CsvSource(delimiter = '|', useHeadersInDisplayName = true, textBlock = SMALLEST)
  void fioFindsWhatItWroteToTheSmallest(
      Kind kind, String chunk, String size, Engine engine, Order order, Store store, Wire wire)
      throws Exception {
    fioFindsWhatItWrote(kind, chunk, size, engine, order, store, wire);
  }

  @ParameterizedTest(name = "{argumentsWithNames}")
  @CsvSource(delimiter = '|', useHeadersInDisplayName = true, textBlock = TABLE)
  void fioFindsWhatItWrote(
      Kind kind, String chunk, String size, Engine engine, Order order, Store store, Wire wire)
      throws Exception {
    Setting setting = Setting.of(kind, chunk, size, store, wire);
    Fio fio = fio(engine, order, setting.size());
    try (Served served = Served.start(setting, folder)) {
      try (Mounted mounted = Mounted.writable(folder.resolve("written"), served.uri(), setting)) {
        fio.writeAndVerify(mounted.path());
        mounted.region().sync();
        if (served.file().isPresent()) {
          fio.buffered().verify(served.file().get());
        }
        mounted.remount();
        fio.verify(mounted.path());
      }
      // Once everything is local, the kernel reads the cache file, with the rules of that disk.
      Fio reader = kind == Kind.CACHED && !fio.isAligned() ? fio.buffered() : fio;
      try (Mounted mounted = Mounted.readOnly(folder.resolve("read"), served.uri(), setting)) {
        reader.verify(mounted.path());
        if (kind.pulls()) {
          mounted.region().awaitLocal(1, PULL_LIMIT);
          reader.verify(mounted.path());
        }
      }
    }
  }

  private static Fio fio(Engine engine, Order order, long size) {
    boolean random = order == Order.RANDOM;
    int block = blockSize(engine, size);
    if (size <= MOST) {
      return new Fio(engine, random, block, 0, size, size);
    }
    long amount = MOST / block * block;
    return random
        ? new Fio(engine, true, block, 0, size, amount)
        : new Fio(engine, false, block, FOUR_GIB - MOST / 2, amount, amount);
  }

  /** A divisor of the size, so that the last byte is written, too; no page, no chunk ends there. */
  private static int blockSize(Engine engine, long size) {
    if (size > MOST) {
      return engine.isDirect() ? 64 << 10 : (64 << 10) + 1;
    }
    int blocks = size % 17 == 0 ? 17 : size % 15 == 0 ? 15 : 1;
    return Math.toIntExact(size / blocks);
  }
}
