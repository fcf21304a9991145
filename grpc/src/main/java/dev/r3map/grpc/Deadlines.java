package dev.r3map.grpc;

import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;

/**
 * Gives every call a deadline that has none: a client that asks and never reads the answer would
 * hold the answer's memory for ever. gRPC reads the header after the tracers are made.
 */
final class Deadlines extends ServerStreamTracer.Factory {
  private static final Metadata.Key<String> TIMEOUT =
      Metadata.Key.of("grpc-timeout", Metadata.ASCII_STRING_MARSHALLER);

  /** Five minutes, longer than anyone waits for a call. */
  private static final String LONGEST = "5M";

  private static final ServerStreamTracer NONE = new ServerStreamTracer() {};

  @Override
  public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
    if (!headers.containsKey(TIMEOUT)) {
      headers.put(TIMEOUT, LONGEST);
    }
    return NONE;
  }
}
