/** What {@code info} shows. */
@NullMarked
package dev.r3map.cli.info;

import org.jspecify.annotations.NullMarked;
