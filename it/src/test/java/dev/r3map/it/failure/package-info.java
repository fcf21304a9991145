/** What happens when processes, networks, disks and servers fail under a real mount. */
package dev.r3map.it.failure;
