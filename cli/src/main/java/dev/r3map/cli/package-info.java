/** The {@code r3map} command: one class for each subcommand, and what they share beside them. */
@NullMarked
package dev.r3map.cli;

import org.jspecify.annotations.NullMarked;
