package dev.r3map.testkit;

import dev.r3map.Region;
import dev.r3map.backend.Backend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Reads, writes, zeros, syncs and reopens at random, and compares all that is read with a model of
 * plain memory. When they differ, operations are left out for as long as they still do; what is
 * left is reported together with the seed.
 *
 * <pre>{@code
 * RandomOperations.on(() -> Subject.of(MemoryBackend.of(100_000))).count(500).run();
 * }</pre>
 *
 * <p>The seed is a new one each time unless it is given, here or as the system property {@code
 * r3map.seed}.
 */
public final class RandomOperations {
  private static final String SEED_PROPERTY = "r3map.seed";

  /** Where implementations change from one page, chunk or message to the next. */
  private static final int[] BORDERS = {1, 512, 4096, 64 << 10, 256 << 10};

  private static final Duration MAX_SHRINKING = Duration.ofSeconds(20);

  /** What is tested. It is opened anew, with a fresh resource of zeros, for each attempt. */
  public interface Subject extends AutoCloseable {
    long size() throws IOException;

    void read(ByteBuffer dst, long offset) throws IOException;

    void write(ByteBuffer src, long offset) throws IOException;

    /** Makes zeros of a range; false if that cannot be done, and nothing was. */
    default boolean zero(long offset, long length) throws IOException {
      return false;
    }

    void sync() throws IOException;

    /** Closes what is tested and opens it again, with its bytes; nothing if that cannot be done. */
    default void reopen() throws Exception {}

    @Override
    void close() throws IOException;

    static Subject of(Backend backend) {
      return new Subject() {
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
        public void close() throws IOException {
          backend.close();
        }
      };
    }

    static Subject of(Region region) {
      return new Subject() {
        @Override
        public long size() {
          return region.size();
        }

        @Override
        public void read(ByteBuffer dst, long offset) throws IOException {
          region.read(dst, offset);
        }

        @Override
        public void write(ByteBuffer src, long offset) throws IOException {
          region.write(src, offset);
        }

        @Override
        public void sync() throws IOException {
          region.sync();
        }

        @Override
        public void close() throws IOException {
          region.close();
        }
      };
    }

    static Subject of(FileChannel file) {
      return new Subject() {
        @Override
        public long size() throws IOException {
          return file.size();
        }

        @Override
        public void read(ByteBuffer dst, long offset) throws IOException {
          for (long at = offset; dst.hasRemaining(); ) {
            int read = file.read(dst, at);
            if (read < 0) {
              throw new IOException("the file ends at " + at);
            }
            at += read;
          }
        }

        @Override
        public void write(ByteBuffer src, long offset) throws IOException {
          for (long at = offset; src.hasRemaining(); ) {
            at += file.write(src, at);
          }
        }

        @Override
        public void sync() throws IOException {
          file.force(false);
        }

        @Override
        public void close() throws IOException {
          file.close();
        }
      };
    }
  }

  /** Makes a fresh resource of zeros. */
  public interface Opener {
    Subject open() throws Exception;
  }

  private enum Kind {
    READ,
    WRITE,
    ZERO,
    SYNC,
    REOPEN
  }

  private record Operation(Kind kind, long offset, int length, long payload) {
    @Override
    public String toString() {
      return switch (kind) {
        case READ, ZERO -> "%s %d+%d".formatted(kind, offset, length);
        case WRITE -> "%s %d+%d payload %d".formatted(kind, offset, length, payload);
        case SYNC, REOPEN -> kind.name();
      };
    }
  }

  private final Opener opener;
  private long seed = Long.getLong(SEED_PROPERTY, System.nanoTime());
  private int count = 300;
  private int unit = 1;
  private int maxLength = 300_000;

  private RandomOperations(Opener opener) {
    this.opener = opener;
  }

  public static RandomOperations on(Opener opener) {
    return new RandomOperations(opener);
  }

  /** The same operations for the same seed. */
  public RandomOperations seed(long value) {
    seed = value;
    return this;
  }

  /** How many operations; 300 unless said. */
  public RandomOperations count(int value) {
    count = value;
    return this;
  }

  /** Offsets and lengths are multiples of this, the end excepted; 1 unless said. */
  public RandomOperations unit(int value) {
    unit = value;
    return this;
  }

  /** The most bytes of one operation; 300,000 unless said. */
  public RandomOperations maxLength(int value) {
    maxLength = value;
    return this;
  }

  /**
   * Runs the operations.
   *
   * @throws AssertionError if what was read is not what was written, or an operation failed
   */
  public void run() throws Exception {
    int size;
    try (Subject subject = opener.open()) {
      size = Math.toIntExact(subject.size());
    }
    List<Operation> operations = generate(size);
    Throwable failure = attempt(operations);
    if (failure == null) {
      return;
    }
    List<Operation> fewest = shrink(operations);
    Throwable last = attempt(fewest);
    throw new AssertionError(
        "%d random operations fail, of which %d suffice (size %d, run again with -D%s=%d):%n  %s%n%s"
            .formatted(
                operations.size(),
                fewest.size(),
                size,
                SEED_PROPERTY,
                seed,
                fewest.stream().map(Operation::toString).collect(Collectors.joining("\n  ")),
                last == null ? failure : last),
        last == null ? failure : last);
  }

  private List<Operation> generate(int size) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Operation> operations = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int dice = random.nextInt(100);
      Kind kind =
          dice < 40
              ? Kind.READ
              : dice < 80
                  ? Kind.WRITE
                  : dice < 88 ? Kind.ZERO : dice < 96 ? Kind.SYNC : Kind.REOPEN;
      int from = alignDown(position(random, size));
      int most = Math.min(size - from, 1 + position(random, maxLength));
      int end = random.nextInt(16) == 0 ? size : from + most;
      int length = Math.min(Math.min(size, alignUp(end)) - from, alignDown(maxLength));
      operations.add(new Operation(kind, from, length, random.nextLong()));
    }
    return operations;
  }

  /** Anywhere below {@code limit}, mostly near a border of something. */
  private static int position(SplittableRandom random, int limit) {
    int border = BORDERS[random.nextInt(BORDERS.length)];
    int at = random.nextInt(limit + 1) / border * border + random.nextInt(-2, 3);
    return Math.clamp(at, 0, limit);
  }

  private int alignDown(int position) {
    return position - position % unit;
  }

  private int alignUp(int position) {
    return alignDown(position + unit - 1);
  }

  /** Leaves out ever smaller runs of operations as long as the rest still fails. */
  private List<Operation> shrink(List<Operation> failing) throws Exception {
    long deadline = System.nanoTime() + MAX_SHRINKING.toNanos();
    List<Operation> fewest = failing;
    for (int run = failing.size() / 2; run > 0; run /= 2) {
      for (int at = fewest.size() - run; at >= 0; at -= run) {
        List<Operation> fewer = new ArrayList<>(fewest);
        fewer.subList(at, at + run).clear();
        if (System.nanoTime() - deadline > 0) {
          return fewest;
        }
        if (attempt(fewer) != null) {
          fewest = fewer;
        }
      }
    }
    return fewest;
  }

  /** What went wrong, if something did. */
  private @Nullable Throwable attempt(List<Operation> operations) throws Exception {
    try (Subject subject = opener.open()) {
      byte[] model = new byte[Math.toIntExact(subject.size())];
      int step = 0;
      try {
        for (; step < operations.size(); step++) {
          perform(operations.get(step), subject, model);
        }
        for (int at = 0; at < model.length; at += alignDown(maxLength)) {
          int length = Math.min(model.length - at, alignDown(maxLength));
          compare(subject, model, at, length);
        }
        return null;
      } catch (Exception | AssertionError e) {
        String where = step < operations.size() ? operations.get(step).toString() : "READ of all";
        return new AssertionError("step %d, %s: %s".formatted(step, where, e), e);
      }
    }
  }

  private static void perform(Operation operation, Subject subject, byte[] model) throws Exception {
    int from = Math.toIntExact(operation.offset);
    int to = from + operation.length;
    switch (operation.kind) {
      case READ -> compare(subject, model, from, operation.length);
      case WRITE -> {
        Payload.of(operation.payload).fill(ByteBuffer.wrap(model, from, operation.length), from);
        subject.write(ByteBuffer.wrap(model, from, operation.length).asReadOnlyBuffer(), from);
      }
      case ZERO -> {
        if (subject.zero(from, operation.length)) {
          Arrays.fill(model, from, to, (byte) 0);
        }
      }
      case SYNC -> subject.sync();
      case REOPEN -> subject.reopen();
    }
  }

  private static void compare(Subject subject, byte[] model, int from, int length)
      throws IOException {
    byte[] actual = new byte[length];
    // What nobody fills must not look like zeros that were read.
    Arrays.fill(actual, (byte) 0xA5);
    subject.read(ByteBuffer.wrap(actual), from);
    int wrong = Arrays.mismatch(model, from, from + length, actual, 0, length);
    if (wrong >= 0) {
      throw new AssertionError(
          "byte %d is 0x%02x, not 0x%02x"
              .formatted(from + wrong, actual[wrong], model[from + wrong]));
    }
  }
}
