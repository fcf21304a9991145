/** The numbers of the NBD protocol, each under the name that its specification gives it. */
@NullMarked
package dev.r3map.nbd.protocol;

import org.jspecify.annotations.NullMarked;
