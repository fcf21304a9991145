/** Measures r3map beside other programs that do the same; {@code bench/run} starts it. */
@NullMarked
package dev.r3map.bench;

import org.jspecify.annotations.NullMarked;
