/** What the packages of this module share and nobody else sees. */
@NullMarked
package dev.r3map.internal;

import org.jspecify.annotations.NullMarked;
