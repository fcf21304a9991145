/** Where the bytes really live. */
@NullMarked
package dev.r3map.backend;

import org.jspecify.annotations.NullMarked;
