/** Regions: remote resources, seen locally. */
@NullMarked
package dev.r3map;

import org.jspecify.annotations.NullMarked;
