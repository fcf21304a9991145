/** What other modules plug in or see: backends by URI scheme, the platform, frontends. */
@NullMarked
package dev.r3map.spi;

import org.jspecify.annotations.NullMarked;
