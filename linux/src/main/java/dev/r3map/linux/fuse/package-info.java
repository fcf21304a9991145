/**
 * A region as one regular file, served over the protocol of {@code /dev/fuse}.
 *
 * <p>The mount point is the file itself, so the root inode is the only one and is always alive. Two
 * receivers read requests and answer what is local at once, from the region's mapping. What would
 * wait (for the remote, for a flush) goes to a virtual thread and is answered from there; a
 * watchdog answers what takes too long. A notifier thread tells the kernel what changed behind its
 * back, and pushes what was pulled, and is the only one that may wait for the kernel's page locks:
 * nobody who answers requests waits for it.
 */
@NullMarked
package dev.r3map.linux.fuse;

import org.jspecify.annotations.NullMarked;
