/** The server's side of a connection: negotiation, requests, replies. */
@NullMarked
package dev.r3map.nbd.server;

import org.jspecify.annotations.NullMarked;
