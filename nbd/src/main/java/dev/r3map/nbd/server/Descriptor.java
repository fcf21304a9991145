package dev.r3map.nbd.server;

/**
 * One run in the answer to a block status.
 *
 * @param length in bytes, {@code > 0}
 * @param state of all of them, in the bits of the context that was asked for
 */
record Descriptor(long length, int state) {}
