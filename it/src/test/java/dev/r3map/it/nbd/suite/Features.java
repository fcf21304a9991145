package dev.r3map.it.nbd.suite;

/**
 * What clients are told of an export, beyond what our server tells: transmission flags to take away
 * and to add.
 */
record Features(int without, int with) {
  static final Features UNCHANGED = new Features(0, 0);

  Features taking(int flag) {
    return new Features(without | flag, with & ~flag);
  }

  Features adding(int flag) {
    return new Features(without, with | flag);
  }

  /** The flag is there or not, whatever our server says. */
  Features setting(int flag, boolean value) {
    return value ? adding(flag) : taking(flag);
  }

  int apply(int flags) {
    return (flags & ~without) | with;
  }
}
