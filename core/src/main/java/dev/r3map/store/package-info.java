/** The engine behind a managed mount: one local copy, filled by pulling and drained by pushing. */
@NullMarked
package dev.r3map.store;

import org.jspecify.annotations.NullMarked;
