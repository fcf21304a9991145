/**
 * libnbd's own tests, run against our server. They drive nbdkit, so this is as much of its command
 * line as they need, over our server: plugins are backends, filters are backends around them.
 */
package dev.r3map.it.nbd.suite;
