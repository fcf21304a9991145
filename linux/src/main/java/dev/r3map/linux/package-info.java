/** Devices of Linux: {@link dev.r3map.linux.Fuse} mounts a region as a file. */
@NullMarked
package dev.r3map.linux;

import org.jspecify.annotations.NullMarked;
