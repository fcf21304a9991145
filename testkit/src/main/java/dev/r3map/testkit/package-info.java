/** For tests: the conformance kit of backends, fault injectors, and watchers. */
@NullMarked
package dev.r3map.testkit;

import org.jspecify.annotations.NullMarked;
