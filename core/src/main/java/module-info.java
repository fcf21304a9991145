/**
 * r3map: a resource that lives elsewhere, usable here as memory, a file or a block device.
 *
 * <p>Start at {@link dev.r3map.ManagedMount}; {@link dev.r3map.backend.Backend} is what the bytes
 * come from.
 */
module dev.r3map {
  requires static transitive org.jspecify;

  exports dev.r3map;
  exports dev.r3map.backend;
  exports dev.r3map.spi;

  uses dev.r3map.spi.BackendProvider;
  uses dev.r3map.spi.Platform;

  provides dev.r3map.spi.BackendProvider with
      dev.r3map.backend.MemoryBackendProvider,
      dev.r3map.backend.FileBackendProvider;
}
