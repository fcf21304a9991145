package dev.r3map.grpc;

import io.grpc.Metadata;
import io.grpc.Status;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What went wrong, in the trailing metadata of a failure; see {@code resource.proto}. */
enum ErrorKind {
  INSTANCE(Status.Code.FAILED_PRECONDITION),
  FENCED(Status.Code.ABORTED),
  NO_SPACE(Status.Code.RESOURCE_EXHAUSTED),
  READ_ONLY(Status.Code.FAILED_PRECONDITION),
  RESOURCE_CHANGED(Status.Code.FAILED_PRECONDITION),
  PERMANENT(Status.Code.FAILED_PRECONDITION),
  TRANSIENT(Status.Code.UNKNOWN);

  private static final Metadata.Key<String> KEY =
      Metadata.Key.of("r3map-error", Metadata.ASCII_STRING_MARSHALLER);

  private final Status.Code code;
  private final String wire = name().toLowerCase(Locale.ROOT).replace('_', '-');

  ErrorKind(Status.Code code) {
    this.code = code;
  }

  /** The status for those who do not read the metadata. */
  Status status() {
    return code.toStatus();
  }

  Metadata trailers() {
    Metadata trailers = new Metadata();
    trailers.put(KEY, wire);
    return trailers;
  }

  /** The kind that a server named, if it did. */
  static @Nullable ErrorKind of(Metadata trailers) {
    String value = trailers.get(KEY);
    for (ErrorKind kind : values()) {
      if (kind.wire.equals(value)) {
        return kind;
      }
    }
    return null;
  }
}
