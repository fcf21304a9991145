/** Copies one resource to another. */
@NullMarked
package dev.r3map.cli.copy;

import org.jspecify.annotations.NullMarked;
