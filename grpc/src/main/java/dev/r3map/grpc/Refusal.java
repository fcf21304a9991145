package dev.r3map.grpc;

import io.grpc.Metadata;
import io.grpc.Status;
import org.jspecify.annotations.Nullable;

/** A request that the server does not carry out, and why. */
final class Refusal extends Exception {
  private static final long serialVersionUID = 1L;

  private final transient Status status;
  private final @Nullable ErrorKind kind;

  Refusal(ErrorKind kind, String message) {
    super(message, null, false, false);
    this.status = kind.status().withDescription(message);
    this.kind = kind;
  }

  Refusal(Status.Code code, String message) {
    super(message, null, false, false);
    this.status = code.toStatus().withDescription(message);
    this.kind = null;
  }

  Status status() {
    return status;
  }

  Metadata trailers() {
    return kind == null ? new Metadata() : kind.trailers();
  }
}
