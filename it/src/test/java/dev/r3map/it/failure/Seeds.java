package dev.r3map.it.failure;

/** Seeds of random tests: new ones each time, or the system property {@code r3map.seed}. */
final class Seeds {
  private Seeds() {}

  /** Says which it is, so that a failure can be had again. */
  static long next() {
    long seed = Long.getLong("r3map.seed", System.nanoTime());
    System.out.println("-Dr3map.seed=" + seed);
    return seed;
  }
}
