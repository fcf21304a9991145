/** Network block devices: serves backends to any NBD client. */
@NullMarked
package dev.r3map.nbd;

import org.jspecify.annotations.NullMarked;
