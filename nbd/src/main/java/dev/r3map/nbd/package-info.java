/**
 * Network block devices: serves backends and regions to any NBD client, and reaches any NBD server.
 */
@NullMarked
package dev.r3map.nbd;

import org.jspecify.annotations.NullMarked;
