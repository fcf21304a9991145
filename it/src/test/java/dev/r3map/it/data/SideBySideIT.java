package dev.r3map.it.data;

import dev.r3map.Region;
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
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Programs and the serving JVM write and read at the same time, each in stripes of its own that
 * share pages and chunks with those of the others. Who wrote a stripe always reads what it wrote
 * last, and the resource has it in the end.
 */
@ExtendWith(MountsAndLeavesNothing.class)
@Timeout(60)
class SideBySideIT {
  private static final int CHUNK = 64 << 10;
  private static final int STRIPE = 1500;
  private static final int SIZE = (1 << 20) + 1;
  private static final int STEPS = 1000;

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofSeconds(90));

  @TempDir Path folder;

  /** A way to the bytes. */
  private interface Door {
    void write(long offset, int length, long payload) throws IOException;

    byte[] read(long offset, int length) throws IOException;

    void sync() throws IOException;
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void programsAndTheServingJvmKeepTheirBytes(Kind kind) throws Exception {
    writeTogether(
        kind,
        (one, other, mounted) -> List.of(through(one), through(other), through(mounted.region())));
  }

  /** Without the JVM: what it writes next to bytes that only a mapping has would meet them half. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void programsThatMapAndProgramsThatWriteKeepTheirBytes(Kind kind) throws Exception {
    writeTogether(kind, (one, other, _) -> List.of(through(one), throughMapping(other)));
  }

  private interface Doors {
    List<Door> of(FileTester one, FileTester other, Mounted mounted);
  }

  private void writeTogether(Kind kind, Doors choice) throws Exception {
    long seed = Long.getLong(RandomOperationsIT.SEED_PROPERTY, System.nanoTime());
    System.out.printf("%s: -D%s=%d%n", kind, RandomOperationsIT.SEED_PROPERTY, seed);
    Setting setting = new Setting(kind, CHUNK, SIZE, Store.FILE, Wire.TCP);
    try (Served served = Served.start(setting, folder);
        FileTester one = FileTester.start();
        FileTester other = FileTester.start()) {
      served.write(Payload.of(seed).bytes(0, SIZE), 0);
      try (Mounted mounted = Mounted.writable(folder.resolve("file"), served.uri(), setting);
          ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
        one.open(mounted.path());
        other.open(mounted.path());
        List<Door> doors = choice.of(one, other, mounted);
        List<Writer> writers = new ArrayList<>();
        for (Door door : doors) {
          writers.add(new Writer(writers.size(), doors.size(), door, seed));
        }
        for (Future<Void> end : executor.invokeAll(writers)) {
          end.get();
        }
        for (Writer writer : writers) {
          for (Door door : doors) {
            writer.verify(door::read);
          }
        }
        one.closeFile();
        other.closeFile();
        mounted.region().sync();
        for (Writer writer : writers) {
          writer.verify((offset, length) -> served(served, offset, length));
        }
      }
    }
  }

  private static byte[] served(Served served, long offset, int length) throws IOException {
    byte[] bytes = new byte[length];
    served.read(ByteBuffer.wrap(bytes), offset);
    return bytes;
  }

  private static Door through(FileTester program) {
    return new Door() {
      @Override
      public void write(long offset, int length, long payload) throws IOException {
        program.write(offset, length, payload);
      }

      @Override
      public byte[] read(long offset, int length) throws IOException {
        return program.read(offset, length);
      }

      @Override
      public void sync() throws IOException {
        program.fsync();
      }
    };
  }

  private static Door throughMapping(FileTester program) {
    return new Door() {
      @Override
      public void write(long offset, int length, long payload) throws IOException {
        program.writeMap(offset, length, payload);
      }

      @Override
      public byte[] read(long offset, int length) throws IOException {
        return program.readMap(offset, length);
      }

      @Override
      public void sync() throws IOException {
        program.forceMap(0, SIZE);
      }
    };
  }

  private static Door through(Region region) {
    return new Door() {
      @Override
      public void write(long offset, int length, long payload) throws IOException {
        region.write(Payload.of(payload).bytes(offset, length), offset);
      }

      @Override
      public byte[] read(long offset, int length) throws IOException {
        byte[] bytes = new byte[length];
        region.read(ByteBuffer.wrap(bytes), offset);
        return bytes;
      }

      @Override
      public void sync() throws IOException {
        region.sync();
      }
    };
  }

  private interface Reader {
    byte[] read(long offset, int length) throws IOException;
  }

  /** Works on every so many-th stripe. */
  private static final class Writer implements Callable<Void> {
    private final int number;
    private final int all;
    private final Door door;
    private final SplittableRandom random;
    private final Model model = new Model(SIZE);

    Writer(int number, int all, Door door, long seed) {
      this.number = number;
      this.all = all;
      this.door = door;
      this.random = new SplittableRandom(seed + number);
      model.write(0, SIZE, seed);
    }

    @Override
    public Void call() throws IOException {
      int stripes = SIZE / STRIPE;
      for (int step = 0; step < STEPS; step++) {
        // Few of them, so that everybody is on the same pages all the time.
        int stripe = random.nextInt(stripes / all / 8) * all + number;
        int from = random.nextInt(STRIPE);
        int length = 1 + random.nextInt(STRIPE - from);
        long offset = (long) stripe * STRIPE + from;
        if (random.nextInt(3) > 0) {
          long payload = random.nextLong();
          door.write(offset, length, payload);
          model.write(offset, length, payload);
        } else {
          model.verify("writer " + number, door.read(offset, length), offset, length);
        }
        if (random.nextInt(100) == 0) {
          door.sync();
        }
      }
      return null;
    }

    void verify(Reader reader) throws IOException {
      for (int stripe = number; stripe < SIZE / STRIPE; stripe += all) {
        long offset = (long) stripe * STRIPE;
        model.verify("writer " + number, reader.read(offset, STRIPE), offset, STRIPE);
      }
    }
  }
}
