/** A remote resource and its mount in one process, for demonstrations and training. */
@NullMarked
package dev.r3map.cli.demo;

import org.jspecify.annotations.NullMarked;
