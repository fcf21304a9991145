package dev.r3map.it.data;

import dev.r3map.backend.Sizes;

/**
 * How a test mounts: a row of its table.
 *
 * @param kind what is between the file and the network
 * @param chunkSize of a managed mount, in bytes
 * @param size of the resource, in bytes
 * @param store where the resource lives
 * @param wire how it is reached
 */
record Setting(Kind kind, int chunkSize, long size, Store store, Wire wire) {

  enum Kind {
    DIRECT,
    /** With the local bytes in memory, and only those that were asked for. */
    ON_DEMAND,
    /** With the local bytes in memory. */
    MANAGED,
    /** With the local bytes in a file. */
    CACHED;

    /** Whether everything becomes local by and by. */
    boolean pulls() {
      return this == MANAGED || this == CACHED;
    }
  }

  enum Store {
    MEMORY,
    FILE
  }

  enum Wire {
    TCP,
    UNIX
  }

  /** As a table says it, such as {@code 4KiB}. */
  static Setting of(Kind kind, String chunkSize, String size, Store store, Wire wire) {
    return new Setting(kind, Math.toIntExact(Sizes.parse(chunkSize)), bytes(size), store, wire);
  }

  /** A size such as {@code 1MiB+1}. */
  private static long bytes(String size) {
    int plus = size.indexOf('+');
    return plus < 0
        ? Sizes.parse(size)
        : Sizes.parse(size.substring(0, plus)) + Sizes.parse(size.substring(plus + 1));
  }
}
