/** What works on this host. */
@NullMarked
package dev.r3map.cli.doctor;

import org.jspecify.annotations.NullMarked;
