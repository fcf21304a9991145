package dev.r3map.it.support;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What fio does to a file: it writes blocks that carry a checksum, their offset and their number,
 * and verifies them. A block of one byte has no room for that, and is always the same.
 *
 * @param engine how it reads and writes
 * @param random in random order, otherwise one after the other
 * @param blockSize of one read or write, in bytes
 * @param offset where the part begins that is used
 * @param size of that part, in bytes
 * @param amount how many bytes are written
 */
public record Fio(
    Engine engine, boolean random, int blockSize, long offset, long size, long amount) {
  private static final int PAGE = 4096;
  private static final Duration DEADLINE = Duration.ofSeconds(60);
  private static final Pattern READ =
      Pattern.compile("\"read\" : \\{\\s*\"io_bytes\" : (\\d+)", Pattern.DOTALL);

  /** How fio reads and writes. */
  public enum Engine {
    PSYNC(false),
    MMAP(false),
    LIBAIO(true),
    IO_URING(true);

    private final boolean direct;

    Engine(boolean direct) {
      this.direct = direct;
    }

    /** Whether it goes past the page cache, with several requests at once. */
    public boolean isDirect() {
      return direct;
    }
  }

  /** Fails if fio is not here. */
  public static void require() {
    Tool.require("fio", "fio");
  }

  /** Whether its blocks are whole pages. */
  public boolean isAligned() {
    return offset % PAGE == 0 && blockSize % PAGE == 0;
  }

  /** The same through the page cache, which takes blocks of any size. */
  public Fio buffered() {
    return new Fio(
        engine.isDirect() ? Engine.PSYNC : engine, random, blockSize, offset, size, amount);
  }

  /** Writes, syncs and verifies. */
  public void writeAndVerify(Path file) throws IOException, InterruptedException {
    run(file, random ? "randwrite" : "write");
  }

  /** Verifies what {@link #writeAndVerify} wrote, wherever it is now; only reads. */
  public void verify(Path file) throws IOException, InterruptedException {
    run(file, random ? "randread" : "read");
  }

  private void run(Path file, String kind) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("fio", "--name=r3map", "--rw=" + kind));
    command.add("--ioengine=" + engine.name().toLowerCase(Locale.ROOT));
    if (engine.direct) {
      command.addAll(List.of("--direct=1", "--iodepth=8"));
    }
    command.addAll(
        List.of(
            "--filename=" + file,
            "--bs=" + blockSize,
            "--offset=" + offset,
            "--size=" + size,
            "--io_size=" + amount,
            "--verify_fatal=1",
            "--verify_state_save=0",
            "--end_fsync=1",
            "--allow_file_create=0",
            "--fallocate=none",
            "--output-format=json"));
    command.addAll(
        blockSize == 1
            ? List.of("--verify=pattern", "--verify_pattern=0x5a")
            : List.of("--verify=crc32c"));
    Tool.Outcome outcome = Tool.run(DEADLINE, command).succeeded();
    Matcher read = READ.matcher(outcome.text());
    if (!read.find() || Long.parseLong(read.group(1)) < amount) {
      throw new AssertionError(
          "%s did not read %d bytes:%n%s%n%s"
              .formatted(String.join(" ", command), amount, outcome.text(), outcome.errors()));
    }
  }
}
