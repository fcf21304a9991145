/** A mount from its opening to its orderly end. */
@NullMarked
package dev.r3map.cli.mount;

import org.jspecify.annotations.NullMarked;
