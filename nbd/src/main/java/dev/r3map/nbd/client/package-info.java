/** One export of a server, as a client sees it: handshake, requests, replies, reconnects. */
@NullMarked
package dev.r3map.nbd.client;

import org.jspecify.annotations.NullMarked;
