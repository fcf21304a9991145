package dev.r3map.store;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;

/** What a journal says of every block: present, stored as nothing because all zeros, dirty. */
final class JournalState {
  /** Records read at a time: 96 KiB. */
  private static final int BATCH = 4096;

  final BlockSet present;
  final BlockSet zeros;
  final BlockSet dirty;

  /** Where the records begin in the file. */
  long start;

  /** How many records are sound; where the next one goes. */
  long records;

  private boolean closed;
  private long committed;

  JournalState(long blocks) {
    present = new BlockSet(blocks);
    zeros = new BlockSet(blocks);
    dirty = new BlockSet(blocks);
  }

  /**
   * Reads the records from the file's position to the first that is torn.
   *
   * @param crashed the host went down since: only what a commit covers can be relied on, less what
   *     was noted as clean after that, unless the journal was closed in order
   */
  static JournalState replay(RandomAccessFile file, long blocks, boolean crashed)
      throws IOException {
    long start = file.getFilePointer();
    JournalState all = new JournalState(blocks);
    all.start = start;
    all.read(file, Long.MAX_VALUE, false);
    if (!crashed || all.closed) {
      return all;
    }
    JournalState durable = new JournalState(blocks);
    durable.start = start;
    durable.read(file, all.committed, false);
    // What has become clean since must not be pushed over what the remote may have got after that.
    durable.read(file, all.records, true);
    durable.keepOnlyDirty();
    return durable;
  }

  private void read(RandomAccessFile file, long most, boolean onlyClean) throws IOException {
    file.seek(start + records * JournalFormat.RECORD);
    byte[] bytes = new byte[BATCH * JournalFormat.RECORD];
    ByteBuffer in = ByteBuffer.wrap(bytes);
    int have;
    while (records < most && (have = fill(file, bytes)) >= JournalFormat.RECORD) {
      for (int at = 0;
          at + JournalFormat.RECORD <= have && records < most;
          at += JournalFormat.RECORD) {
        int type = JournalFormat.decodeType(in, at, records);
        boolean passOver = onlyClean && type != JournalFormat.Type.CLEAN.code;
        if (type == 0) {
          return;
        }
        if (!passOver && !apply(type, in.getLong(at + 4), in.getLong(at + 12))) {
          return;
        }
        records++;
      }
    }
  }

  private static int fill(RandomAccessFile file, byte[] bytes) throws IOException {
    int have = 0;
    for (int n; have < bytes.length && (n = file.read(bytes, have, bytes.length - have)) > 0; ) {
      have += n;
    }
    return have;
  }

  private boolean apply(int type, long first, long count) {
    closed = type == JournalFormat.Type.CLOSED.code;
    if (closed) {
      return true;
    }
    if (type == JournalFormat.Type.COMMIT.code) {
      // Commits overlap: one that began earlier may end later.
      committed = Math.max(committed, first);
      return true;
    }
    if (first < 0 || count < 0 || first > present.length() - count) {
      return false;
    }
    long end = first + count;
    for (JournalFormat.Type known : JournalFormat.Type.values()) {
      if (known.code == type) {
        apply(known, first, end);
        return true;
      }
    }
    return false;
  }

  void apply(JournalFormat.Type type, long first, long end) {
    switch (type) {
      case PRESENT -> {
        zeros.clear(first, end);
        present.set(first, end);
      }
      case ZERO -> {
        zeros.set(first, end);
        present.set(first, end);
      }
      case DIRTY -> {
        zeros.clear(first, end);
        present.set(first, end);
        dirty.set(first, end);
      }
      case CLEAN -> dirty.clear(first, end);
      case COMMIT, CLOSED -> {}
    }
  }

  /**
   * After a crash of the host a clean block may hold bytes that were written later and whose record
   * was lost, so clean blocks are forgotten and pulled again.
   */
  private void keepOnlyDirty() {
    long blocks = present.length();
    for (long at = 0; at < blocks; ) {
      long from = dirty.nextClear(at, blocks);
      long to = dirty.nextSet(from, blocks);
      present.clear(from, to);
      zeros.clear(from, to);
      at = to;
    }
  }
}
