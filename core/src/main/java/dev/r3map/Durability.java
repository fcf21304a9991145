package dev.r3map;

/** What a flush of a frontend (fsync, msync, NBD FLUSH, FUA) waits for. */
public enum Durability {
  /** The remote has it. */
  REMOTE,
  /** The cache file and its journal have it, on the disk; needs a cache file. */
  LOCAL
}
