/** Serves a {@link dev.r3map.backend.Backend} as a network block device. */
module dev.r3map.nbd {
  requires transitive dev.r3map;
  requires static transitive org.jspecify;

  exports dev.r3map.nbd;
}
