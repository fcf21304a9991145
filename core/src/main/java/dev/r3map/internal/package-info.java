/**
 * What the packages of this module share, and the modules that are built with it; users see none of
 * it.
 */
@NullMarked
package dev.r3map.internal;

import org.jspecify.annotations.NullMarked;
