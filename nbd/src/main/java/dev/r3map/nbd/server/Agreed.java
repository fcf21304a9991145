package dev.r3map.nbd.server;

import java.util.List;

/**
 * What the handshake ends with.
 *
 * @param export what the client reads and writes
 * @param structured whether replies may come in chunks
 * @param extended whether headers have lengths of 64 bits; implies {@code structured}
 * @param contexts what the client may ask about bytes
 */
record Agreed(Export export, boolean structured, boolean extended, List<MetaContext> contexts) {}
