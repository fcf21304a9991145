package dev.r3map.spi;

import java.lang.foreign.MemorySegment;

/** The mapped local bytes of a region, for frontends that answer from them without a copy. */
public interface LocalView {

  /**
   * All bytes of the region, read-only. Only what {@link #isLocal} says is there may be looked at.
   * Valid until the region is closed, which happens after all its frontends are.
   */
  MemorySegment mapping();

  /** Whether every byte of a range is present. Once true it stays true while the region is open. */
  boolean isLocal(long offset, long length);

  /**
   * Splits a local range into runs of stored bytes and runs of zeros, in order. Runs of zeros must
   * not be read from the mapping: touching a hole of a memory file takes a page for it.
   */
  void runs(long offset, long length, RunVisitor visitor);

  /** The descriptor behind the mapping, for the kernel to read directly; -1 if there is none. */
  int descriptor();

  /** Takes the runs of a range, in order; every second one is what was asked for. */
  interface RunVisitor {
    void run(long offset, long length, boolean is);
  }
}
