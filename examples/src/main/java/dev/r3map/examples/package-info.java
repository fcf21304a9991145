/** Small programs to copy from. */
@NullMarked
package dev.r3map.examples;

import org.jspecify.annotations.NullMarked;
