/**
 * Bindings of the C library, one class for each kernel interface. Constants are those of x86-64 and
 * arm64, which agree on every one that is used here.
 */
@NullMarked
package dev.r3map.linux.ffi;

import org.jspecify.annotations.NullMarked;
