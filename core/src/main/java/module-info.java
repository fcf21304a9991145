/**
 * r3map: a resource that lives elsewhere, usable here as memory, a file or a block device.
 *
 * <p>Start at {@link dev.r3map.ManagedMount}; {@link dev.r3map.backend.Backend} is what the bytes
 * come from.
 */
// The modules that may see the internals are built after this one.
@SuppressWarnings("module")
module dev.r3map {
  requires static transitive org.jspecify;

  exports dev.r3map;
  exports dev.r3map.backend;
  exports dev.r3map.spi;
  exports dev.r3map.internal to
      dev.r3map.grpc,
      dev.r3map.nbd;

  uses dev.r3map.spi.BackendProvider;
  uses dev.r3map.spi.Platform;

  provides dev.r3map.spi.BackendProvider with
      dev.r3map.backend.MemoryBackendProvider,
      dev.r3map.backend.FileBackendProvider;
}
