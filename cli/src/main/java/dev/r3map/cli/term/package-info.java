/** How the command speaks and listens: streams, progress, JSON, log messages and signals. */
@NullMarked
package dev.r3map.cli.term;

import org.jspecify.annotations.NullMarked;
