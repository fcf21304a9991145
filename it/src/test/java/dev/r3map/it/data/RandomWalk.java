package dev.r3map.it.data;

import dev.r3map.Region;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.it.support.FileTester;
import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Two programs and the JVM that serves them do at random to one mounted file whatever can be done
 * to it, and what they read is compared with a model.
 */
final class RandomWalk {
  private static final int BLOCK = FileTester.BLOCK;

  /** What a failure shows of what led to it. */
  private static final int REMEMBERED = 40;

  /** Most operations are small, some are greater than a request of the kernel, which is 1 MiB. */
  private static final int MOST = 300_000;

  private static final int MOST_SELDOM = 3 << 20;
  private static final int SELDOM = 32;

  /** Where implementations change from one page, chunk or request to the next. */
  private static final long[] BORDERS = {1, 512, BLOCK, 64 << 10, 256 << 10, 4 << 20};

  private static final Duration FORGET_LIMIT = Duration.ofSeconds(10);
  private static final Duration PULL_LIMIT = Duration.ofSeconds(30);

  private enum Operation {
    READ(20),
    READ_DIRECT(6),
    READ_MAP(14),
    READ_HERE(6),
    WRITE(16),
    WRITE_DIRECT(6),
    WRITE_MAP(14),
    WRITE_HERE(8),
    FSYNC(4),
    SYNC_HERE(1),
    REOPEN(4),
    REMOUNT(1),
    AWAIT_LOCAL(1),
    SHRINK(2),
    GROW(2),
    TRUNCATE(1),
    APPEND(2),
    WRITE_ACROSS_END(2);

    private final int weight;

    Operation(int weight) {
      this.weight = weight;
    }

    static Operation any(SplittableRandom random) {
      int all = 0;
      for (Operation operation : values()) {
        all += operation.weight;
      }
      int at = random.nextInt(all);
      for (Operation operation : values()) {
        at -= operation.weight;
        if (at < 0) {
          return operation;
        }
      }
      throw new AssertionError();
    }
  }

  private final SplittableRandom random;
  private final Setting setting;
  private final boolean readOnly;
  private final Mounted mounted;
  private final Model model;
  private final List<FileTester> programs;
  private final Deque<String> history = new ArrayDeque<>();

  /** Whether there may be bytes in mappings that only the kernel knows of. */
  private boolean unforced;

  private final String seedHint;

  RandomWalk(
      long seed,
      Setting setting,
      boolean readOnly,
      Mounted mounted,
      Model model,
      List<FileTester> programs) {
    this.random = new SplittableRandom(seed);
    this.seedHint = "run again with -D%s=%d".formatted(RandomOperationsIT.SEED_PROPERTY, seed);
    this.setting = setting;
    this.readOnly = readOnly;
    this.mounted = mounted;
    this.model = model;
    this.programs = programs;
  }

  /**
   * Does so many things, and leaves the file closed.
   *
   * @throws AssertionError if something was not as it must be, with what was done before
   */
  void run(int operations) {
    try {
      openAll();
      for (int i = 0; i < operations; i++) {
        step(Operation.any(random));
      }
      remember("the end");
      force();
      closeAll();
    } catch (Exception | AssertionError e) {
      throw new AssertionError(
          "%s, after (%s):%n  %s".formatted(e.getMessage(), seedHint, String.join("\n  ", history)),
          e);
    }
  }

  private void step(Operation operation) throws Exception {
    FileTester program = programs.get(random.nextInt(programs.size()));
    String who = "program " + programs.indexOf(program);
    switch (operation) {
      case READ -> {
        Range range = anyRange();
        remember(who, operation, range);
        // Also behind the end, where there is nothing.
        int asked = range.length + random.nextInt(3);
        byte[] bytes = program.read(range.offset, asked);
        int there = (int) Math.min(asked, model.size() - range.offset);
        model.verify(who + "'s read", bytes, range.offset, there);
      }
      case READ_DIRECT -> {
        Range range = anyRange().blocks();
        remember(who, operation, range);
        byte[] bytes = program.readDirect(range.offset, range.length);
        int there = (int) Math.min(range.length, model.size() - range.offset);
        model.verify(who + "'s direct read", bytes, range.offset, there);
      }
      case READ_MAP -> {
        Range range = anyRange();
        remember(who, operation, range);
        byte[] bytes = program.readMap(range.offset, range.length);
        model.verify(who + "'s mapping", bytes, range.offset, range.length);
      }
      case READ_HERE -> {
        force();
        Range range = anyRange();
        remember("region", operation, range);
        byte[] bytes = new byte[range.length];
        mounted.region().read(ByteBuffer.wrap(bytes), range.offset);
        model.verify("the region", bytes, range.offset, range.length);
      }
      case WRITE -> write(program, who, false);
      case WRITE_DIRECT -> write(program, who, true);
      case WRITE_MAP -> writeMap(program, who);
      case WRITE_HERE -> writeHere();
      case FSYNC -> {
        remember(who, operation);
        program.fsync();
        unforced = false;
      }
      case SYNC_HERE -> {
        remember("region sync");
        mounted.region().sync();
      }
      case REOPEN -> {
        remember(who, operation);
        open(program);
      }
      case REMOUNT -> {
        remember("remount");
        closeAll();
        mounted.remount();
        unforced = false;
        openAll();
      }
      case AWAIT_LOCAL -> {
        if (setting.kind().pulls()) {
          remember("region await all local");
          mounted.region().awaitLocal(1, PULL_LIMIT);
        }
      }
      case SHRINK -> refuses(operation, path -> program.resize(path, anyOffset()));
      case GROW ->
          refuses(operation, path -> program.resize(path, model.size() + 1 + random.nextInt(9999)));
      case TRUNCATE -> refuses(operation, program::openToTruncate);
      case APPEND -> {
        force();
        refuses(operation, path -> program.append(path, 1 + random.nextInt(5000)));
      }
      case WRITE_ACROSS_END -> writeAcrossEnd(program, who);
    }
  }

  /** The kernel may take a part, then refuses the rest; what is refused is nowhere to be seen. */
  private void writeAcrossEnd(FileTester program, String who) throws IOException {
    if (readOnly) {
      return;
    }
    force();
    int before = (int) Math.min(model.size(), random.nextInt(MOST));
    long offset = model.size() - before;
    int length = before + 1 + random.nextInt(5000);
    long payload = random.nextLong();
    remember(who, "attempt to WRITE", new Range(offset, length));
    int taken = 0;
    try {
      taken = program.writeOnce(offset, length, payload);
    } catch (IOException e) {
      expect("File too large", e);
    }
    if (taken > before) {
      throw new AssertionError("%d bytes were written behind the end".formatted(taken - before));
    }
    model.write(offset, taken, payload);
    awaitRightMappings();
    verifyEnd();
  }

  /** What was refused is in the page cache for a moment. */
  private void awaitRightMappings() throws IOException {
    int tail = (int) Math.min(model.size(), MOST);
    long offset = model.size() - tail;
    long deadline = System.nanoTime() + FORGET_LIMIT.toNanos();
    for (FileTester program : programs) {
      while (true) {
        try {
          model.verify("the end of the mapping", program.readMap(offset, tail), offset, tail);
          break;
        } catch (AssertionError e) {
          if (System.nanoTime() - deadline > 0) {
            throw e;
          }
        }
      }
    }
  }

  private void write(FileTester program, String who, boolean direct) throws IOException {
    if (readOnly) {
      return;
    }
    Range range = direct ? anyRange().blocks().within(model.size()) : anyRange();
    if (range.length == 0) {
      return;
    }
    long payload = random.nextLong();
    remember(who, direct ? "WRITE_DIRECT" : "WRITE", range);
    if (direct) {
      program.writeDirect(range.offset, range.length, payload);
    } else {
      program.write(range.offset, range.length, payload);
    }
    model.write(range.offset, range.length, payload);
  }

  private void writeMap(FileTester program, String who) throws IOException {
    if (readOnly) {
      return;
    }
    Range range = anyRange();
    long payload = random.nextLong();
    boolean forces = random.nextBoolean();
    remember(who, forces ? "WRITE_MAP and force" : "WRITE_MAP", range);
    program.writeMap(range.offset, range.length, payload);
    model.write(range.offset, range.length, payload);
    if (forces) {
      program.forceMap(range.offset, range.length);
    } else {
      unforced = true;
    }
  }

  private void writeHere() throws IOException {
    Region region = mounted.region();
    Range range = anyRange();
    remember("region WRITE", range);
    if (readOnly) {
      try {
        region.write(ByteBuffer.allocate(range.length), range.offset);
      } catch (ReadOnlyException e) {
        return;
      }
      throw new AssertionError("a read-only region was written to");
    }
    force();
    long payload = random.nextLong();
    model.write(range.offset, range.length, payload);
    byte[] bytes = new byte[range.length];
    Payload.of(payload).fill(ByteBuffer.wrap(bytes), range.offset);
    region.write(ByteBuffer.wrap(bytes), range.offset);
  }

  private interface Attempt {
    void on(Path path) throws IOException;
  }

  /** What would change the size fails, and changes neither that nor a byte near the end. */
  private void refuses(Operation operation, Attempt attempt) throws IOException {
    remember("attempt to", operation);
    try {
      attempt.on(mounted.path());
    } catch (IOException e) {
      expect(
          readOnly
              ? "Read-only file system"
              : operation == Operation.APPEND ? "File too large" : "Operation not permitted",
          e);
      verifyEnd();
      return;
    }
    throw new AssertionError(operation + " was not refused");
  }

  private static void expect(String message, IOException failure) {
    if (!failure.getMessage().contains(message)) {
      throw new AssertionError("not '%s' but %s".formatted(message, failure), failure);
    }
  }

  private void verifyEnd() throws IOException {
    for (FileTester program : programs) {
      if (program.size() != model.size()) {
        throw new AssertionError("the size is %d now".formatted(program.size()));
      }
      int tail = (int) Math.min(model.size(), MOST);
      long offset = model.size() - tail;
      model.verify("the end", program.read(offset, tail), offset, tail);
      model.verify("the end of the mapping", program.readMap(offset, tail), offset, tail);
    }
  }

  /**
   * Brings to the region what programs stored into mappings. Also before a write that will fail:
   * the kernel then drops the page, with whatever else was stored there.
   */
  private void force() throws IOException {
    if (unforced) {
      programs.getFirst().fsync();
      unforced = false;
    }
  }

  private void openAll() throws IOException {
    for (FileTester program : programs) {
      open(program);
    }
  }

  private void open(FileTester program) throws IOException {
    if (readOnly) {
      program.openToRead(mounted.path());
    } else {
      program.open(mounted.path());
    }
  }

  private void closeAll() throws IOException {
    for (FileTester program : programs) {
      program.closeFile();
    }
  }

  private record Range(long offset, int length) {
    /** The blocks that it touches. */
    Range blocks() {
      long from = offset - offset % BLOCK;
      long to = (offset + length + BLOCK - 1) / BLOCK * BLOCK;
      return new Range(from, (int) (to - from));
    }

    /** Without the blocks that end behind {@code size}. */
    Range within(long size) {
      long to = Math.min(offset + length, size - size % BLOCK);
      return new Range(offset, (int) Math.max(0, to - offset));
    }

    @Override
    public String toString() {
      return offset + "+" + length;
    }
  }

  /** Never empty. */
  private Range anyRange() {
    long offset = Math.min(anyOffset(), model.size() - 1);
    int most = random.nextInt(SELDOM) == 0 ? MOST_SELDOM : MOST;
    long end = offset + 1 + near(random.nextLong(most));
    if (random.nextInt(16) == 0) {
      end = Math.max(end, model.size());
    }
    return new Range(
        offset, (int) Math.min(Math.min(end, model.size()) - offset, FileTester.MAX_LENGTH));
  }

  /** Below the size, where it is worth looking. */
  private long anyOffset() {
    long size = model.size();
    long[] from = {0, 0, (2L << 30) - MOST, (4L << 30) - MOST, size - 2 * MOST, size - 1};
    long start = Math.clamp(from[random.nextInt(from.length)], 0, size - 1);
    long room = Math.min(size - start, 8 << 20);
    return Math.clamp(start + near(random.nextLong(room)), 0, size - 1);
  }

  /** Mostly near a border of something. */
  private long near(long position) {
    long border = BORDERS[random.nextInt(BORDERS.length)];
    return Math.max(0, position / border * border + random.nextInt(-2, 3));
  }

  private void remember(Object... words) {
    if (history.size() == REMEMBERED) {
      history.removeFirst();
    }
    history.addLast(Stream.of(words).map(Object::toString).collect(Collectors.joining(" ")));
  }
}
