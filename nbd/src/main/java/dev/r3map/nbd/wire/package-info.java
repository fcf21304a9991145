/** Connections as streams of bytes: plain or encrypted. */
@NullMarked
package dev.r3map.nbd.wire;

import org.jspecify.annotations.NullMarked;
