package dev.r3map.grpc;

/** A client and its epoch; see {@code resource.proto}. Client 0 fences nothing. */
record Fence(long client, long epoch) {
  static final Fence NONE = new Fence(0, 0);
}
