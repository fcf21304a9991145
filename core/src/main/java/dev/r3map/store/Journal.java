package dev.r3map.store;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.internal.NoSpace;
import dev.r3map.store.JournalFormat.Header;
import dev.r3map.store.JournalFormat.Type;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Remembers, beside a cache file, which blocks are present and which are dirty. Owns a descriptor
 * and a lock on its file until {@link #close}. Thread-safe.
 *
 * <p>How a crash finds it consistent. Records are appended with plain writes, which outlive the
 * process. The store appends them in an order that errs to the safe side:
 *
 * <ul>
 *   <li>absent blocks: first the data, then PRESENT or DIRTY. Killed in between, they are absent.
 *   <li>present clean blocks: first DIRTY, then the data. Killed in between, the old bytes are
 *       pushed once more.
 *   <li>CLEAN comes after the remote's sync.
 * </ul>
 *
 * When the host itself goes down (its boot id differs at the next open), appends may be lost or out
 * of order with the data. Then only dirty blocks that a {@link #commit} covers are kept: a commit
 * notes how many records there are, forces the data, and then itself. Of those, the ones that a
 * later CLEAN speaks of are pulled again: what is here may be older than what the remote got since.
 *
 * <p>On a full disk the journal must not be what fails: it keeps room ahead of its records.
 *
 * <p>The file grows with each change of a block's state and is written anew when it has become
 * long, and at every open.
 */
final class Journal implements AutoCloseable {
  /** Rewriting takes milliseconds for each 16 MiB, and that many records are many seconds' work. */
  private static final long REWRITE_RECORDS = (16 << 20) / JournalFormat.RECORD;

  /** The kernel's name for this boot of the host, random(4). */
  private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

  /**
   * Room that is kept ahead of the records, so that on a full disk what is there already can still
   * be overwritten, pushed and closed: some ten thousand changes.
   */
  private static final int RESERVE = 256 << 10;

  /** Forces the data that records speak of. */
  interface Data {
    void force() throws IOException;
  }

  /**
   * Those of this process. Another's lock refuses; but to open and close a file that this process
   * has locked would lose it the lock, fcntl(2).
   */
  private static final Set<String> OPEN = ConcurrentHashMap.newKeySet();

  private final Path path;
  private final String name;
  private final Header header;
  private final long blocks;
  private final ReentrantLock lock = new ReentrantLock();
  private final byte[] scratch = new byte[JournalFormat.RECORD];
  private final long rewriteAt;
  private RandomAccessFile file;
  private long start;
  private long records;

  /** Up to where the file has its room. */
  private long reserved;

  /**
   * Set once the system failed to write records back. It reports that once and forgets them: the
   * next sync would succeed, though they are not on the disk.
   */
  private @Nullable IOException lost;

  /** Whether the directory is known to hold the file on the disk, too. */
  private boolean named = true;

  /** Whether the file was made in this boot of the host. */
  private boolean continued;

  private long limit;
  private boolean closed;

  private Journal(
      Path path, String name, Header header, long blocks, RandomAccessFile file, long rewriteAt) {
    this.path = path;
    this.name = name;
    this.header = header;
    this.blocks = blocks;
    this.file = file;
    this.rewriteAt = rewriteAt;
  }

  /** An open journal and what it remembers. */
  record Opened(Journal journal, JournalState state) {}

  static Opened open(Path path, Chunks chunks, String identity) throws IOException {
    return open(path, chunks, identity, bootId(), REWRITE_RECORDS);
  }

  /**
   * Opens or makes the journal at {@code path} and reads it. Nothing of it is changed before {@link
   * #begin}.
   *
   * @throws ResourceChangedException if it belongs to another version of the resource
   * @throws PermanentIOException if it is in use, damaged, or not a journal
   */
  static Opened open(Path path, Chunks chunks, String identity, String bootId, long rewriteAt)
      throws IOException {
    Header header = new Header(chunks.size(), chunks.chunkSize(), bootId, identity);
    String name = path.toFile().getCanonicalPath();
    if (!OPEN.add(name)) {
      throw inUse(path);
    }
    try {
      return open(path, name, header, chunks.blocks(), rewriteAt);
    } catch (IOException | RuntimeException e) {
      OPEN.remove(name);
      throw e;
    }
  }

  private static Opened open(Path path, String name, Header header, long blocks, long rewriteAt)
      throws IOException {
    RandomAccessFile file = lockedFile(path);
    try {
      JournalState state;
      boolean sameBoot = false;
      if (file.length() == 0) {
        state = new JournalState(blocks);
      } else {
        Header old = Header.read(file, path.toString());
        checkSame(path, old, header);
        sameBoot = old.bootId().equals(header.bootId());
        state = JournalState.replay(file, blocks, !sameBoot);
      }
      Journal journal = new Journal(path, name, header, blocks, file, rewriteAt);
      journal.continueAfter(state, sameBoot);
      return new Opened(journal, state);
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private void continueAfter(JournalState state, boolean sameBoot) {
    continued = sameBoot;
    start = state.start;
    records = state.records;
    limit = rewriteAt;
  }

  /** Writes down what was read, as of this boot; appending may begin. */
  void begin(JournalState state, Data data) throws IOException {
    data.force();
    lock.lock();
    try {
      rewriteOrContinue(state);
      sync();
    } finally {
      lock.unlock();
    }
  }

  private void rewriteOrContinue(JournalState state) throws IOException {
    try {
      rewrite(state);
    } catch (NoSpaceException e) {
      if (!continued) {
        throw e;
      }
      // What is there is of this boot and says the same: go on with it.
      reserved = file.length();
    }
  }

  private static void checkSame(Path path, Header old, Header now) throws IOException {
    if (old.size() != now.size() || !old.identity().equals(now.identity())) {
      throw new ResourceChangedException(
          ("the resource changed since %s was written (size %d, identity '%s'; now size %d, identity"
                  + " '%s'). Remove the cache and its journal to start afresh; what was written"
                  + " there and not pushed is lost then")
              .formatted(path, old.size(), old.identity(), now.size(), now.identity()));
    }
  }

  /** Opens or makes a file that nobody else uses. */
  static RandomAccessFile lockedFile(Path path) throws IOException {
    while (true) {
      // Whoever had it may have put a new one in its place while we opened the old one.
      List<Object> before = key(path);
      RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw");
      try {
        lock(file, path);
        if (key(path).equals(before)) {
          return file;
        }
      } catch (IOException | RuntimeException e) {
        file.close();
        throw e;
      }
      file.close();
    }
  }

  /** What tells a file from another that has, or had, its name; inodes are used again. */
  private static List<Object> key(Path path) throws IOException {
    try {
      BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
      return List.of(String.valueOf(attributes.fileKey()), attributes.creationTime());
    } catch (NoSuchFileException e) {
      return List.of();
    }
  }

  private static void lock(RandomAccessFile file, Path path) throws IOException {
    try {
      if (file.getChannel().tryLock() != null) {
        return;
      }
    } catch (OverlappingFileLockException e) {
      // Somebody in this process has it: the same to the user.
    }
    throw inUse(path);
  }

  private static IOException inUse(Path path) {
    return new PermanentIOException(
        "the cache of " + path + " is in use by another mount; give each mount its own cache");
  }

  private static String bootId() throws IOException {
    return Files.isReadable(BOOT_ID) ? Files.readString(BOOT_ID).strip() : "";
  }

  /**
   * Records that blocks {@code [first, end)} are now of a type.
   *
   * @throws NoSpaceException if the disk is full; nothing was recorded
   */
  void append(Type type, long first, long end) throws IOException {
    lock.lock();
    try {
      put(type, first, end - first);
    } finally {
      lock.unlock();
    }
  }

  /** Returns once everything recorded before the call, and its data, is on the disk. */
  void commit(Data data) throws IOException {
    long covered;
    RandomAccessFile of;
    lock.lock();
    try {
      covered = records;
      of = file;
    } finally {
      lock.unlock();
    }
    data.force();
    lock.lock();
    try {
      // Another commit may have written the file anew: that one covers more, in other numbers.
      if (file.equals(of)) {
        put(Type.COMMIT, covered, 0);
      }
      sync();
    } finally {
      lock.unlock();
    }
    shorten(data);
  }

  /** Writes the file anew if it has become long; on a full disk, at another time. */
  void shorten(Data data) throws IOException {
    lock.lock();
    try {
      if (!isLong()) {
        return;
      }
      sync();
      data.force();
      file.seek(start);
      try {
        rewrite(JournalState.replay(file, blocks, false));
      } catch (NoSpaceException e) {
        limit = 2 * records;
      }
      sync();
    } finally {
      lock.unlock();
    }
  }

  /** Returns once everything recorded before the call is on the disk, its data perhaps not. */
  void force() throws IOException {
    lock.lock();
    try {
      sync();
    } finally {
      lock.unlock();
    }
  }

  /** Whether {@link #shorten} would do anything. */
  boolean isLong() {
    lock.lock();
    try {
      return records > limit;
    } finally {
      lock.unlock();
    }
  }

  private void put(Type type, long first, long count) throws IOException {
    if (closed) {
      throw new IOException("the journal " + path + " is closed");
    }
    JournalFormat.encodeRecord(ByteBuffer.wrap(scratch), records, type, first, count);
    long at = start + records * JournalFormat.RECORD;
    try {
      if (reserved - at < RESERVE / 2) {
        reserve(at);
      }
      file.seek(at);
      file.write(scratch);
    } catch (IOException e) {
      throw NoSpace.in(e, "journal " + path);
    }
    records++;
  }

  /** Takes room ahead if there is some; if not, what was taken before must do. */
  private void reserve(long at) throws IOException {
    try {
      reserved = reserve(file, Math.max(reserved, at));
    } catch (IOException e) {
      if (!NoSpace.isIn(e)) {
        throw e;
      }
    }
  }

  /** Zeros are no record; see {@link JournalFormat}. */
  private static long reserve(RandomAccessFile file, long from) throws IOException {
    file.seek(from);
    file.write(new byte[RESERVE]);
    return from + RESERVE;
  }

  /** Replaces the file by one that says the same in as few records as can be. */
  private void rewrite(JournalState state) throws IOException {
    Path next = path.resolveSibling(path.getFileName() + ".new");
    RandomAccessFile file = make(next);
    boolean done = false;
    try {
      byte[] head = header.encode();
      file.write(head);
      Writer out = new Writer(file);
      out.runs(Type.PRESENT, state.present);
      out.runs(Type.ZERO, state.zeros);
      out.runs(Type.DIRTY, state.dirty);
      out.put(Type.COMMIT, out.records + 1, 0);
      out.flush();
      long room = reserve(file, file.getFilePointer());
      file.getFD().sync();
      Files.move(next, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      done = true;
      // At once: records for the old file would be lost with it, whatever fails from here on.
      RandomAccessFile old = this.file;
      this.file = file;
      this.named = false;
      this.start = head.length;
      this.records = out.records;
      this.reserved = room;
      this.limit = Math.max(rewriteAt, 2 * out.records);
      old.close();
    } catch (IOException e) {
      throw NoSpace.in(e, "journal " + path);
    } finally {
      if (!done) {
        file.close();
        Files.deleteIfExists(next);
      }
    }
  }

  private static RandomAccessFile make(Path path) throws IOException {
    try {
      Files.deleteIfExists(path);
      return lockedFile(path);
    } catch (IOException e) {
      throw NoSpace.in(e, "journal " + path);
    }
  }

  /** Forces the records and, if the file is new, its name. */
  private void sync() throws IOException {
    if (lost != null) {
      throw new PermanentIOException(
          "the journal %s lost records earlier (%s)".formatted(path, lost.getMessage()), lost);
    }
    try {
      file.getFD().sync();
    } catch (IOException e) {
      lost = e;
      throw e;
    }
    if (!named) {
      syncDirectory(path.toAbsolutePath().getParent());
      named = true;
    }
  }

  /** An interrupt, which would close the channel, waits until it is done. */
  private static void syncDirectory(@Nullable Path directory) throws IOException {
    if (directory == null) {
      return;
    }
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
          channel.force(true);
          return;
        } catch (ClosedByInterruptException e) {
          interrupted |= Thread.interrupted();
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Marks the journal as closed in order; the caller has committed and writes no more. */
  void seal() throws IOException {
    lock.lock();
    try {
      put(Type.CLOSED, 0, 0);
      sync();
    } finally {
      lock.unlock();
    }
  }

  /** Where it is, for messages. */
  Path path() {
    return path;
  }

  @Override
  public void close() throws IOException {
    lock.lock();
    try {
      if (!closed) {
        closed = true;
        try {
          file.close();
        } finally {
          OPEN.remove(name);
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** Writes records in batches. */
  private static final class Writer {
    private final RandomAccessFile file;
    private final ByteBuffer batch = ByteBuffer.allocate(4096 * JournalFormat.RECORD);
    private long records;

    Writer(RandomAccessFile file) {
      this.file = file;
    }

    void runs(Type type, BlockSet set) throws IOException {
      long blocks = set.length();
      for (long at = set.nextSet(0, blocks); at < blocks; ) {
        long end = set.nextClear(at, blocks);
        put(type, at, end - at);
        at = set.nextSet(end, blocks);
      }
    }

    void put(Type type, long first, long count) throws IOException {
      if (!batch.hasRemaining()) {
        flush();
      }
      JournalFormat.encodeRecord(batch, records++, type, first, count);
    }

    void flush() throws IOException {
      file.write(batch.array(), 0, batch.position());
      batch.clear();
    }
  }
}
