package dev.r3map.internal;

import java.util.ArrayList;
import java.util.List;

/**
 * Knows which acknowledged writes no sync has covered yet, and so which ones a server that restarts
 * may have forgotten. Those stay <i>lost</i> until they are written again: a sync cannot succeed in
 * between, however often it is tried and by whom. (NFS has the write verifier for the same reason.)
 */
public final class WriteLog {
  private RangeSet unsynced = new RangeSet();
  private final List<RangeSet> syncing = new ArrayList<>();
  private final RangeSet lost = new RangeSet();
  private long server;

  /**
   * @param server the instance or connection that the log begins with
   */
  public WriteLog(long server) {
    this.server = server;
  }

  /** The server acknowledged a write while it was {@code instance}. */
  public synchronized void wrote(long instance, long offset, long length) {
    if (instance != server) {
      // It restarted after the write; whether the write survived is not known.
      lost.add(offset, offset + length);
      return;
    }
    lost.remove(offset, offset + length);
    unsynced.add(offset, offset + length);
  }

  /** The server is another one from now on. */
  public synchronized void serverIs(long instance) {
    if (instance == server) {
      return;
    }
    server = instance;
    lost.addAll(unsynced);
    unsynced = new RangeSet();
    for (RangeSet running : syncing) {
      lost.addAll(running);
    }
    syncing.clear();
  }

  /** How many bytes must be written again before a sync can succeed. */
  public synchronized long lostBytes() {
    return lost.bytes();
  }

  /** A sync begins; what was acknowledged up to now is what it covers. */
  public synchronized RangeSet beginSync() {
    RangeSet covered = unsynced;
    unsynced = new RangeSet();
    syncing.add(covered);
    return covered;
  }

  /** The sync has ended. */
  public synchronized void endSync(RangeSet covered, boolean durable) {
    // By identity: two syncs may cover equal ranges, and those of a former server are lost already.
    boolean running = syncing.removeIf(set -> set == covered);
    if (running && !durable) {
      unsynced.addAll(covered);
    }
  }
}
