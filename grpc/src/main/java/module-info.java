/** Serves a {@link dev.r3map.backend.Backend} over gRPC, and reaches one. */
module dev.r3map.grpc {
  requires transitive dev.r3map;
  requires static transitive org.jspecify;
  requires io.grpc;
  requires io.grpc.netty;
  requires io.netty.buffer;
  requires io.netty.common;
  requires io.netty.handler;
  requires io.netty.transport;

  exports dev.r3map.grpc;

  provides dev.r3map.spi.BackendProvider with
      dev.r3map.grpc.GrpcBackendProvider;
}
