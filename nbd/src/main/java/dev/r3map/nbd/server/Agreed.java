package dev.r3map.nbd.server;

/**
 * What the handshake ends with.
 *
 * @param export what the client reads and writes
 * @param structured whether replies may come in chunks
 * @param extended whether headers have lengths of 64 bits; implies {@code structured}
 * @param allocation whether the client may ask for {@code base:allocation}
 */
record Agreed(Export export, boolean structured, boolean extended, boolean allocation) {}
