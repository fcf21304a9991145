/** Serves a {@link dev.r3map.backend.Backend} as a network block device, and reaches one. */
module dev.r3map.nbd {
  requires transitive dev.r3map;
  requires static transitive org.jspecify;

  exports dev.r3map.nbd;

  provides dev.r3map.spi.BackendProvider with
      dev.r3map.nbd.NbdBackendProvider;
}
