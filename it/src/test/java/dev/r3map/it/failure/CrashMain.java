package dev.r3map.it.failure;

import dev.r3map.Durability;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.spi.Platform;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.zip.CRC32C;

/**
 * A process that works on a region with a cache and, at every moment at which something of it
 * changes, looks what would become of it if the process were killed just then, or the power failed:
 * {@code FOLDER DURABILITY SEED}. Says {@code ok} and how many moments there were.
 */
final class CrashMain {
  /** Five stretches, the last of them short. */
  private static final int SIZE = 4 * Ledger.STRETCH + 5000;

  private static final int CHUNK = 32 << 10;
  private static final int LIVES = 3;
  private static final int OPERATIONS = 70;

  /** Of what a power failure leaves, this many possibilities are looked at. */
  private static final int FAILURES = 2;

  private static final int PAGE = 4096;

  private final Path folder;
  private final Durability durability;
  private final SplittableRandom random;
  private final Ledger ledger;
  private final Path cache;
  private final Remote remote;

  /** What is certain to be on the disk. */
  private byte[] forcedCache = new byte[SIZE];

  private byte[] forcedJournal = {};
  private Optional<Object> journalFile = Optional.empty();

  /** Pages written since, in order; the disk may have any of them. */
  private final Deque<Page> unforced = new ArrayDeque<>();

  private Region region;
  private volatile boolean looking;
  private volatile boolean writing;
  private volatile boolean disturbing;
  private volatile int moments;
  private volatile Optional<AssertionError> failure = Optional.empty();
  private volatile Optional<OtherSync> other = Optional.empty();

  @SuppressWarnings("ArrayRecordComponent") // Never compared.
  private record Page(byte[] bytes, int offset) {
    void putInto(byte[] image) {
      System.arraycopy(bytes, 0, image, offset, bytes.length);
    }
  }

  private CrashMain(Path folder, Durability durability, long seed) throws IOException {
    this.folder = folder;
    this.durability = durability;
    random = new SplittableRandom(seed);
    ledger = new Ledger(SIZE, seed);
    cache = folder.resolve("cache");
    remote = new Remote(MemoryBackend.of(SIZE));
    for (int at = 0; at < SIZE; at += Ledger.STRETCH) {
      remote.fill(ledger.original(at), at);
    }
  }

  public static void main(String[] args) throws Exception {
    if (!(Platform.current() instanceof RecordingPlatform)) {
      throw new AssertionError("the platform is " + Platform.current());
    }
    CrashMain all =
        new CrashMain(Path.of(args[0]), Durability.valueOf(args[1]), Long.parseLong(args[2]));
    all.run();
    Commands.say("ok " + all.moments);
  }

  private void run() throws Exception {
    RecordingPlatform.watch(
        cache,
        new RecordingPlatform.Observer() {
          @Override
          public void moment(String what) {
            look(what);
          }

          @Override
          public void written(ByteBuffer bytes, long offset) {
            byte[] page = new byte[bytes.remaining()];
            bytes.get(bytes.position(), page);
            unforced.addLast(new Page(page, Math.toIntExact(offset)));
          }

          @Override
          public void forced() {
            unforced.forEach(page -> page.putInto(forcedCache));
            unforced.clear();
          }
        });
    looking = true;
    for (int life = 0; life < LIVES; life++) {
      try (Region opened = open(remote, cache)) {
        region = opened;
        disturbing = true;
        operateOften();
        disturbing = false;
      }
    }
  }

  private void operateOften() throws Exception {
    for (int i = 0; i < OPERATIONS; i++) {
      operate();
      look("after an operation");
      if (other.isPresent()) {
        other.get().end();
        other = Optional.empty();
        look("after another sync");
      }
      if (failure.isPresent()) {
        throw failure.get();
      }
    }
  }

  private Region open(Backend backend, Path file) throws IOException {
    return ManagedMount.on(backend)
        .cache(file)
        .durability(durability)
        .chunkSize(CHUNK)
        .pullWorkers(0)
        .pushWorkers(1)
        .pushInterval(Duration.ofHours(1))
        .open();
  }

  private void operate() throws Exception {
    switch (random.nextInt(8)) {
      case 0 -> {
        // Of one chunk, so that there is one fetch and a moment is one of all threads.
        int offset = random.nextInt(SIZE);
        int most = Math.min(SIZE, (offset / CHUNK + 1) * CHUNK) - offset;
        region.read(ByteBuffer.allocate(1 + random.nextInt(most)), offset);
      }
      case 1 -> flush();
      case 2 -> {
        Ledger.Mark mark = ledger.mark();
        region.sync();
        ledger.acknowledge(mark);
        noteJournal();
      }
      default -> write();
    }
  }

  private void flush() throws IOException {
    Ledger.Mark mark = ledger.mark();
    region.flush();
    ledger.acknowledge(mark);
    if (durability == Durability.LOCAL) {
      noteJournal();
    }
  }

  private void write() throws IOException {
    int sector = random.nextInt(Math.ceilDiv(SIZE, Ledger.SECTOR));
    if (random.nextBoolean()) {
      sector -= sector % 8;
    }
    int offset = sector * Ledger.SECTOR;
    int length = Math.min((1 + random.nextInt(40)) * Ledger.SECTOR, SIZE - offset);
    writing = true;
    Ledger.Write write = ledger.begin(offset, length);
    region.write(write.bytes(), offset);
    ledger.end(write);
    writing = false;
  }

  private void noteJournal() throws IOException {
    forcedJournal = Files.readAllBytes(journalOf(cache));
  }

  /** A new one comes whole, and forced. */
  private void noteNewJournal() throws IOException {
    Optional<Object> file =
        Optional.of(Files.readAttributes(journalOf(cache), BasicFileAttributes.class).fileKey());
    if (!file.equals(journalFile)) {
      journalFile = file;
      noteJournal();
    }
  }

  private static Path journalOf(Path file) {
    return file.resolveSibling(file.getFileName() + ".journal");
  }

  /** What would a kill leave, what a power failure? */
  @SuppressWarnings("NonAtomicVolatileUpdate") // One thread counts, others look.
  private void look(String what) {
    if (!looking) {
      return;
    }
    looking = false;
    moments = moments + 1;
    try {
      byte[] now = Files.readAllBytes(cache);
      noteNewJournal();
      byte[] journal = Files.readAllBytes(journalOf(cache));
      check(now, journal, true);
      for (int i = 0; durability == Durability.LOCAL && i < FAILURES; i++) {
        check(cacheAfterPowerFailure(), journalAfterPowerFailure(journal), false);
      }
      looking = true;
    } catch (IOException | RuntimeException | AssertionError e) {
      // Not thrown: whoever does the work might try again.
      failure = Optional.of(new AssertionError("moment %d, %s".formatted(moments, what), e));
    }
  }

  private void check(byte[] now, byte[] journal, boolean killed) throws IOException {
    Path copy = folder.resolve("copy");
    Files.write(copy, now);
    Files.write(journalOf(copy), journal);
    try (MemoryBackend later = remote.copy()) {
      ByteBuffer view = ByteBuffer.allocate(SIZE);
      try (Region reopened = open(new Named(later), copy)) {
        reopened.read(view, 0);
        if (killed) {
          ledger.checkWritten(view.flip(), 0);
        } else {
          ledger.checkAcknowledged(view.flip(), 0);
        }
        reopened.sync();
        ByteBuffer pushed = ByteBuffer.allocate(SIZE);
        later.read(pushed, 0);
        int differs = pushed.flip().mismatch(view);
        if (differs >= 0) {
          throw new AssertionError("after a sync the remote differs from the view at " + differs);
        }
      }
    } finally {
      Files.deleteIfExists(copy);
      Files.deleteIfExists(journalOf(copy));
    }
  }

  private byte[] cacheAfterPowerFailure() {
    byte[] image = forcedCache.clone();
    for (Page page : unforced) {
      if (random.nextBoolean()) {
        page.putInto(image);
      }
    }
    return image;
  }

  /** What was forced is there; of the rest some pages, and the host has another boot id. */
  private byte[] journalAfterPowerFailure(byte[] journal) {
    byte[] image = Arrays.copyOf(forcedJournal, journal.length);
    for (int at = 0; at < journal.length; at += PAGE) {
      if (random.nextBoolean()) {
        int end = Math.min(at + PAGE, journal.length);
        System.arraycopy(journal, at, image, at, end - at);
      }
    }
    return withOtherBoot(image);
  }

  /** See the header in {@code JournalFormat}. */
  private static byte[] withOtherBoot(byte[] journal) {
    ByteBuffer bytes = ByteBuffer.wrap(journal);
    int end = 16 + bytes.getInt(12);
    int bootId = 16 + 8 + 4 + 2;
    bytes.put(bootId, (byte) (bytes.get(bootId) ^ 1));
    CRC32C crc = new CRC32C();
    crc.update(journal, 0, end - 4);
    bytes.putInt(end - 4, (int) crc.getValue());
    return journal;
  }

  /** Memory that says that it is the same resource wherever it is. */
  private static class Named extends ForwardingBackend {
    Named(MemoryBackend memory) {
      super(memory);
    }

    @Override
    public Optional<String> identity() {
      return Optional.of("a resource");
    }
  }

  /**
   * Looks before and after each call, and writes while bytes are on their way. What was not synced
   * may be lost when the power fails.
   */
  private final class Remote extends Named {
    private final MemoryBackend memory;
    private final byte[] synced = new byte[SIZE];
    private final Deque<Page> unsynced = new ArrayDeque<>();

    Remote(MemoryBackend memory) {
      super(memory);
      this.memory = memory;
    }

    void fill(ByteBuffer bytes, int offset) throws IOException {
      bytes.duplicate().get(synced, offset, bytes.remaining());
      memory.write(bytes, offset);
    }

    @Override
    public void write(ByteBuffer src, long offset) throws IOException {
      byte[] bytes = new byte[src.remaining()];
      src.duplicate().get(bytes);
      super.write(src, offset);
      unsynced.addLast(new Page(bytes, Math.toIntExact(offset)));
    }

    @Override
    public void sync() throws IOException {
      List<Page> before = List.copyOf(unsynced);
      super.sync();
      before.forEach(page -> page.putInto(synced));
      unsynced.removeAll(before);
    }

    @Override
    protected <T> T around(BackendCall call, Step<T> step) throws IOException {
      look("before " + call);
      disturb(call);
      T result = step.run();
      look("after " + call);
      disturb(call);
      return result;
    }

    private void disturb(BackendCall call) throws IOException {
      if (!looking || !disturbing) {
        return;
      }
      if (other.isPresent()) {
        if (call.kind() == BackendCall.Kind.WRITE) {
          other.get().hold();
        }
      } else if (call.kind() == BackendCall.Kind.SYNC && random.nextInt(3) == 0) {
        CrashMain.this.write();
        other = Optional.of(new OtherSync());
        other.get().start();
      } else if (call.kind() != BackendCall.Kind.READ && !writing && random.nextInt(3) == 0) {
        CrashMain.this.write();
      }
    }

    /** What is left of it when its host fails as well, or not. */
    MemoryBackend copy() throws IOException {
      MemoryBackend copy = MemoryBackend.of(SIZE);
      ByteBuffer bytes = ByteBuffer.allocate(SIZE);
      if (random.nextBoolean()) {
        memory.read(bytes, 0);
        bytes.flip();
      } else {
        bytes.put(synced).flip();
        for (Page page : unsynced) {
          if (random.nextBoolean()) {
            page.putInto(bytes.array());
          }
        }
      }
      copy.write(bytes, 0);
      return copy;
    }
  }

  /** A second sync, held where it has begun to push, while the first one ends. */
  private final class OtherSync {
    private final CountDownLatch pushing = new CountDownLatch(1);
    private final CountDownLatch goOn = new CountDownLatch(1);
    private final FutureTask<Boolean> task =
        new FutureTask<>(() -> {
          try {
            region.sync();
          } finally {
            pushing.countDown();
          }
          return true;
        });

    void start() throws IOException {
      Thread.ofVirtual().name("other sync").start(task);
      await(pushing);
    }

    void hold() throws IOException {
      pushing.countDown();
      await(goOn);
    }

    void end() throws Exception {
      goOn.countDown();
      task.get();
    }

    private static void await(CountDownLatch latch) throws IOException {
      try {
        latch.await();
      } catch (InterruptedException e) {
        throw new InterruptedIOException(e.getMessage());
      }
    }
  }
}
