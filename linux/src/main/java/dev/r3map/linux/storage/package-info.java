/** Memory files and sparse files for the local bytes of managed mounts. */
@NullMarked
package dev.r3map.linux.storage;

import org.jspecify.annotations.NullMarked;
