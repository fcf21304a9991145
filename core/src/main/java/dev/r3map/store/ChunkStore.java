package dev.r3map.store;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.internal.NoSpace;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.LocalView;
import dev.r3map.store.JournalFormat.Type;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The one local copy of a resource, and what is known of each block of it.
 *
 * <p>A block is in one of these states:
 *
 * <ul>
 *   <li><b>absent</b>: the remote's bytes are not here;
 *   <li><b>present</b>: the bytes are here, and stay;
 *   <li><b>present, zeros</b>: they are zeros and take no space here;
 *   <li><b>present, dirty</b>: the bytes are here and the remote does not have them.
 * </ul>
 *
 * <p>Who may change what. Two calls make blocks present: {@link #install} with the remote's bytes,
 * for absent blocks alone, and {@link #write} with the user's. Both hold the chunk's lock while the
 * bytes are copied (never while the network is waited for), so a pull that arrives late cannot
 * overwrite a write. Bits are set after the bytes are in place, and only then may a reader look;
 * readers take no lock, because a present block stays present. {@link Pusher} takes dirty bits
 * without the lock: a write that comes between its taking and its copying sets the bit again
 * afterwards, so the block is pushed again, and nothing is lost.
 *
 * <p>With a journal, the order of its records to the bytes is the one that {@link Journal}
 * explains.
 */
final class ChunkStore implements LocalView {
  /** More than there are threads that copy at once. */
  private static final int STRIPES = 64;

  private static final MemorySegment ZERO_BLOCK =
      MemorySegment.ofArray(new byte[Chunks.BLOCK]).asReadOnly();

  private final Chunks chunks;
  private final LocalStorage local;
  private final MemorySegment mapping;
  private final @Nullable Journal journal;
  private final LocalListener listener;
  private final ReentrantLock[] locks = new ReentrantLock[STRIPES];

  private final BlockSet present;
  private final BlockSet zeros;
  private final BlockSet dirty;

  /** Blocks that the journal knows as dirty: a superset of those that are. */
  private final BlockSet recorded;

  /** Whether a commit may cover dirty blocks, which a crash of the host does not make us forget. */
  private volatile boolean committed;

  /**
   * Whether the remote has newer bytes of a block than are on the disk here, and the journal does
   * not say so. For the thread that notes what is clean; there is one at a time.
   */
  private boolean unnoted;

  /** Chunks that the listener was told of. */
  private final BlockSet announced;

  /** Whether absent blocks are zeros in the storage, so that zeros need not be stored. */
  private volatile boolean pristine;

  /** Is told once of each chunk that has become local, by the thread that made it so. */
  interface LocalListener {
    void local(long chunk);
  }

  /**
   * A store that forgets.
   *
   * @param pristine whether the storage is all zeros
   */
  static ChunkStore over(
      Chunks chunks, LocalStorage local, LocalListener listener, boolean pristine) {
    return new ChunkStore(
        chunks, local, listener, null, new JournalState(chunks.blocks()), pristine);
  }

  /** A store over a file, with what its journal remembers. */
  static ChunkStore over(
      Chunks chunks,
      LocalStorage local,
      LocalListener listener,
      Journal.Opened journal,
      boolean pristine) {
    return new ChunkStore(chunks, local, listener, journal.journal(), journal.state(), pristine);
  }

  private ChunkStore(
      Chunks chunks,
      LocalStorage local,
      LocalListener listener,
      @Nullable Journal journal,
      JournalState state,
      boolean pristine) {
    this.chunks = chunks;
    this.local = local;
    this.mapping = local.mapping().orElse(MemorySegment.NULL);
    this.listener = listener;
    this.journal = journal;
    this.pristine = pristine;
    present = state.present;
    zeros = state.zeros;
    dirty = state.dirty;
    recorded = journal == null ? new BlockSet(0) : dirty.copy();
    committed = dirty.cardinality() > 0;
    announced = new BlockSet(chunks.count());
    for (int i = 0; i < STRIPES; i++) {
      locks[i] = new ReentrantLock();
    }
  }

  Chunks chunks() {
    return chunks;
  }

  BlockSet dirty() {
    return dirty;
  }

  boolean isMapped() {
    return mapping.address() != 0 || chunks.size() == 0;
  }

  @Override
  public MemorySegment mapping() {
    return mapping;
  }

  @Override
  public int descriptor() {
    return local.descriptor().orElse(-1);
  }

  @Override
  public boolean isLocal(long offset, long length) {
    return present.allSet(Chunks.block(offset), Chunks.blockAfter(offset + length));
  }

  /** Whether blocks {@code [first, end)} are present. */
  boolean hasBlocks(long first, long end) {
    return present.allSet(first, end);
  }

  boolean isLocal(long chunk) {
    return present.allSet(chunks.firstBlock(chunk), chunks.endBlock(chunk));
  }

  /** Whether a write of this range must first have the remote's bytes around it. */
  boolean cutsAbsentBlock(long offset, long length) {
    long end = offset + length;
    return length > 0 && (isAbsentAndCut(offset, offset) || isAbsentAndCut(end, end - 1));
  }

  private boolean isAbsentAndCut(long edge, long insideByte) {
    return edge % Chunks.BLOCK != 0
        && edge != chunks.size()
        && !present.get(Chunks.block(insideByte));
  }

  @Override
  public void runs(long offset, long length, RunVisitor visitor) {
    runs(zeros, offset, length, visitor);
  }

  void localRuns(long offset, long length, RunVisitor visitor) {
    runs(present, offset, length, visitor);
  }

  void dirtyRuns(long offset, long length, RunVisitor visitor) {
    runs(dirty, offset, length, visitor);
  }

  private static void runs(BlockSet set, long offset, long length, RunVisitor visitor) {
    long end = offset + length;
    for (long at = offset; at < end; ) {
      boolean is = set.get(Chunks.block(at));
      long to = runEnd(set, at, end, is);
      visitor.run(at, to - at, is);
      at = to;
    }
  }

  /** Fills {@code dst} from blocks that are all present. */
  void read(ByteBuffer dst, long offset) throws IOException {
    long end = offset + dst.remaining();
    for (long at = offset; at < end; ) {
      boolean zero = zeros.get(Chunks.block(at));
      long to = runEnd(zeros, at, end, zero);
      ByteBuffer piece = dst.slice(dst.position(), (int) (to - at));
      if (zero) {
        MemorySegment.ofBuffer(piece).fill((byte) 0);
      } else {
        local.read(piece, at);
      }
      dst.position(dst.position() + (int) (to - at));
      at = to;
    }
  }

  /** Where the run of blocks in a set, or not in it, that {@code at} is in ends, or {@code end}. */
  private static long runEnd(BlockSet set, long at, long end, boolean is) {
    // The first block is what it was: a write may have changed it since.
    long second = Chunks.block(at) + 1;
    long endBlock = Chunks.blockAfter(end);
    long next = is ? set.nextClear(second, endBlock) : set.nextSet(second, endBlock);
    return Math.min(next << Chunks.BLOCK_SHIFT, end);
  }

  /**
   * Makes whole blocks of one chunk present with the remote's bytes. Those that are present are
   * left alone.
   */
  void install(long offset, ByteBuffer bytes) throws IOException {
    long chunk = chunks.at(offset);
    long first = Chunks.block(offset);
    long end = Chunks.blockAfter(offset + bytes.remaining());
    lock(chunk).lock();
    try {
      for (long at = present.nextClear(first, end); at < end; ) {
        long to = present.nextSet(at, end);
        installRun(at, to, bytes, offset);
        at = present.nextClear(to, end);
      }
    } finally {
      lock(chunk).unlock();
    }
    announce(chunk);
  }

  private void installRun(long from, long to, ByteBuffer bytes, long base) throws IOException {
    for (long at = from; at < to; ) {
      boolean zero = isZero(bytes, at, base);
      long next = at + 1;
      while (next < to && isZero(bytes, next, base) == zero) {
        next++;
      }
      long offset = chunks.byteOf(at);
      int length = (int) (chunks.byteOf(next) - offset);
      if (zero) {
        installZeros(at, next);
      } else {
        fill(bytes.slice((int) (offset - base), length), offset, false);
        record(Type.PRESENT, at, next);
        present.set(at, next);
      }
      at = next;
    }
  }

  private boolean isZero(ByteBuffer bytes, long block, long base) {
    int at = (int) (chunks.byteOf(block) - base);
    int length = (int) (chunks.byteOf(block + 1) - chunks.byteOf(block));
    MemorySegment segment = MemorySegment.ofBuffer(bytes.slice(at, length));
    return segment.mismatch(ZERO_BLOCK.asSlice(0, length)) == -1;
  }

  private void installZeros(long from, long to) throws IOException {
    if (!pristine) {
      local.punch(chunks.byteOf(from), chunks.byteOf(to) - chunks.byteOf(from));
    }
    record(Type.ZERO, from, to);
    zeros.set(from, to);
    present.set(from, to);
  }

  /** Makes the whole absent blocks of a range present as zeros: the remote has a hole there. */
  void installHole(long offset, long length) throws IOException {
    long end = offset + length;
    long first = Chunks.blockAfter(offset);
    long last = end == chunks.size() ? chunks.blocks() : Chunks.block(end);
    for (long at = first; at < last; ) {
      long chunk = chunks.chunkOfBlock(at);
      long to = Math.min(last, chunks.endBlock(chunk));
      lock(chunk).lock();
      try {
        for (long from = present.nextClear(at, to); from < to; ) {
          long until = present.nextSet(from, to);
          installZeros(from, until);
          from = present.nextClear(until, to);
        }
      } finally {
        lock(chunk).unlock();
      }
      announce(chunk);
      at = to;
    }
  }

  /**
   * Writes the user's bytes. Blocks that the range covers in part are present already.
   *
   * @throws dev.r3map.backend.NoSpaceException if the disk is full; of the range, some may be
   *     written
   */
  void write(ByteBuffer src, long offset) throws IOException {
    while (src.hasRemaining()) {
      long chunk = chunks.at(offset);
      long room = chunks.offset(chunk) + chunks.length(chunk) - offset;
      int length = (int) Math.min(src.remaining(), room);
      lock(chunk).lock();
      try {
        writePiece(src.slice(src.position(), length), offset);
      } finally {
        lock(chunk).unlock();
      }
      announce(chunk);
      src.position(src.position() + length);
      offset += length;
    }
  }

  private void writePiece(ByteBuffer piece, long offset) throws IOException {
    long first = Chunks.block(offset);
    long end = Chunks.blockAfter(offset + piece.remaining());
    recordDirty(first, end, true);
    try {
      fill(piece, offset, isStored(first, end));
      recordDirty(first, end, false);
    } catch (IOException e) {
      keepInStep(first, end, e);
      throw e;
    }
    zeros.clear(first, end);
    present.set(first, end);
    dirty.set(first, end);
  }

  /**
   * After a write that failed, some of whose bytes may be there: present blocks may differ from the
   * remote's, except that zeros can be made zeros again.
   */
  private void keepInStep(long first, long end, IOException failure) {
    for (long at = present.nextSet(first, end); at < end; ) {
      boolean zero = zeros.get(at);
      long run = zero ? zeros.nextClear(at, end) : zeros.nextSet(at, end);
      long to = present.nextClear(at, run);
      if (zero) {
        try {
          local.punch(chunks.byteOf(at), chunks.byteOf(to) - chunks.byteOf(at));
        } catch (IOException e) {
          failure.addSuppressed(e);
        }
      } else {
        dirty.set(at, to);
      }
      at = present.nextSet(to, end);
    }
  }

  private void recordDirty(long first, long end, boolean presentOnes) throws IOException {
    if (journal == null) {
      return;
    }
    for (long at = recorded.nextClear(first, end); at < end; ) {
      long to = recorded.nextSet(at, end);
      if (presentOnes) {
        at = present.nextSet(at, to);
        to = present.nextClear(at, to);
      }
      if (at < to) {
        record(Type.DIRTY, at, to);
        recorded.set(at, to);
      }
      at = recorded.nextClear(to, end);
    }
  }

  /** Whether blocks take space in the storage; under the lock of their chunk that stays true. */
  private boolean isStored(long first, long end) {
    return present.allSet(first, end) && zeros.nextSet(first, end) == end;
  }

  private void fill(ByteBuffer bytes, long offset, boolean stored) throws IOException {
    try {
      if (stored) {
        local.overwrite(bytes, offset);
      } else {
        local.write(bytes, offset);
      }
    } catch (IOException e) {
      pristine = false;
      throw NoSpace.in(e, "local store");
    }
  }

  private void record(Type type, long first, long end) throws IOException {
    if (journal != null) {
      try {
        journal.append(type, first, end);
      } catch (IOException e) {
        // The bytes may be there already, of blocks that stay absent.
        pristine = false;
        throw e;
      }
    }
  }

  /**
   * Notes that the remote has blocks of one chunk durably, except those that are dirty again.
   * {@link #forceClean} must follow.
   *
   * @param pushedAgain whether the chunk is on its way once more; asked while no write can begin
   * @return false if it is, and nothing was noted
   */
  boolean clean(long chunk, BlockSet.Bits synced, BooleanSupplier pushedAgain) throws IOException {
    if (journal == null) {
      return true;
    }
    lock(chunk).lock();
    try {
      // Dirty bits first: a push takes its turn before it takes them.
      BlockSet.Bits clean = dirty.clearOf(synced);
      if (pushedAgain.getAsBoolean()) {
        unnoted = true;
        return false;
      }
      unnoted |= !clean.isSameAs(synced);
      long end = clean.to();
      for (long at = clean.next(0, true); at < end; ) {
        long to = clean.next(at, false);
        journal.append(Type.CLEAN, at, to);
        recorded.clear(at, to);
        at = clean.next(to, true);
      }
      return true;
    } catch (NoSpaceException e) {
      // Taken for dirty after a kill, and pushed once more: no harm.
      unnoted = true;
      return true;
    } finally {
      lock(chunk).unlock();
    }
  }

  /**
   * Returns once a crash of the host cannot make the next mount push older bytes than the remote
   * has.
   */
  void forceClean() throws IOException {
    // Without a commit it would push nothing.
    if (journal == null || !committed) {
      return;
    }
    if (unnoted) {
      // These may be taken for dirty, and so must not be older here.
      local.force();
      unnoted = false;
    }
    journal.force();
  }

  /** Returns once everything written before is on the local disk, with its journal. */
  void commit() throws IOException {
    committed = true;
    if (journal != null) {
      journal.commit(local::force);
    } else {
      local.force();
    }
  }

  /** Keeps the journal from growing without bound. */
  void trimJournal() throws IOException {
    if (journal != null && journal.isLong()) {
      committed = true;
      journal.shorten(local::force);
    }
  }

  /** Whether what is here outlives this process. */
  boolean isPersistent() {
    return journal != null;
  }

  long localBytes() {
    return bytes(present);
  }

  long dirtyBytes() {
    return bytes(dirty);
  }

  /** How many bytes the blocks of a set have. */
  long bytes(BlockSet set) {
    long last = chunks.blocks() - 1;
    return chunks.bytes(set.cardinality(), last >= 0 && set.get(last));
  }

  /** Tells the listener of the chunks that are local from the start. */
  void announceAll() {
    for (long chunk = 0; chunk < chunks.count(); chunk++) {
      announce(chunk);
    }
  }

  private void announce(long chunk) {
    if (!announced.get(chunk) && isLocal(chunk) && announced.set(chunk)) {
      listener.local(chunk);
    }
  }

  private ReentrantLock lock(long chunk) {
    return locks[(int) (chunk & (STRIPES - 1))];
  }
}
