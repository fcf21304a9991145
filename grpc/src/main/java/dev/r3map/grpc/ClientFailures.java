package dev.r3map.grpc;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.backend.ResourceChangedException;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.SocketException;
import java.security.cert.CertificateException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Turns the end of a call into the exception that {@link dev.r3map.backend.Backend} promises. */
final class ClientFailures {
  /** Enough of what a server says to understand it, too little to drown a log. */
  private static final int LONGEST_TEXT = 300;

  /** The action of the first call. */
  static final String OPEN = "open";

  private final String resource;
  private final Optional<String> secret;

  ClientFailures(String resource, Optional<String> secret) {
    this.resource = resource;
    this.secret = secret;
  }

  /** The server carried out nothing because it is another instance than the one asked for. */
  static final class InstanceException extends IOException {
    private static final long serialVersionUID = 1L;

    InstanceException(String message) {
      super(message);
    }
  }

  /** The server carried out nothing because it has seen a later epoch of this client. */
  static final class FencedException extends IOException {
    private static final long serialVersionUID = 1L;

    FencedException(String message) {
      super(message);
    }
  }

  /** The server has no such method. */
  static final class UnimplementedException extends PermanentIOException {
    private static final long serialVersionUID = 1L;

    UnimplementedException(String message) {
      super(message);
    }
  }

  /** The server said that it failed: the request is over. Otherwise it may still go on there. */
  static final class AnswerException extends IOException {
    private static final long serialVersionUID = 1L;

    AnswerException(String message) {
      super(message);
    }
  }

  /** Whether nothing of the failed request can happen any more. */
  static boolean isAnswer(IOException e) {
    return e instanceof AnswerException
        || e instanceof InstanceException
        || e instanceof FencedException
        || e instanceof NoSpaceException
        || e instanceof PermanentIOException;
  }

  /**
   * @param action what failed, such as {@code "read (offset=0, length=4096)"}
   */
  IOException of(String action, Status status, Metadata trailers) {
    String text = clean(status.getDescription());
    String message =
        "cannot %s %s: %s"
            .formatted(action, resource, text.isEmpty() ? status.getCode().toString() : text);
    ErrorKind kind = ErrorKind.of(trailers);
    if (kind != null) {
      return switch (kind) {
        case INSTANCE -> new InstanceException(message);
        case FENCED -> new FencedException(message);
        case NO_SPACE -> new NoSpaceException(message);
        case READ_ONLY -> new ReadOnlyException(message);
        case RESOURCE_CHANGED -> new ResourceChangedException(message);
        case PERMANENT -> new PermanentIOException(message);
        case TRANSIENT -> new AnswerException(message);
      };
    }
    Throwable cause = status.getCause();
    return switch (status.getCode()) {
      case UNAUTHENTICATED ->
          new PermanentIOException(
              "cannot %s %s: the server does not accept our credentials (%s)"
                  .formatted(action, resource, secret.isPresent() ? "token" : "no token given"),
              cause);
      case UNIMPLEMENTED -> new UnimplementedException(message);
      case PERMISSION_DENIED, INVALID_ARGUMENT, NOT_FOUND, OUT_OF_RANGE, DATA_LOSS ->
          new PermanentIOException(message, cause);
      case UNAVAILABLE -> unavailable(action, message, cause);
      default -> new IOException(message, cause);
    };
  }

  /** The same, for what ended the call on this side. */
  IOException of(String action, IOException local) {
    String message = "cannot %s %s: %s".formatted(action, resource, clean(local.getMessage()));
    if (local instanceof MalformedException) {
      return new PermanentIOException(
          "cannot %s %s: the server breaks the protocol (%s)"
              .formatted(action, resource, clean(local.getMessage())),
          local);
    }
    if (local instanceof InterruptedIOException) {
      InterruptedIOException interrupted = new InterruptedIOException(message);
      interrupted.initCause(local);
      return interrupted;
    }
    return new IOException(message, local);
  }

  IOException closed(String action) {
    return new PermanentIOException("cannot %s %s: closed".formatted(action, resource));
  }

  /** A refused certificate does not become better by trying again; a refused connection does. */
  private IOException unavailable(String action, String message, @Nullable Throwable cause) {
    for (Throwable t = cause; t != null; t = t.getCause()) {
      String text = clean(t.getMessage());
      if (t instanceof CertificateException || text.startsWith("Received fatal alert")) {
        return new PermanentIOException(
            "cannot %s %s: no trust between the two sides (%s)".formatted(action, resource, text),
            cause);
      }
      boolean lost = t instanceof SocketException && !action.equals(OPEN);
      if (lost || t instanceof ConnectException) {
        return new IOException("cannot %s %s: %s".formatted(action, resource, text), cause);
      }
    }
    if (action.equals(OPEN)) {
      return new IOException(
          "%s; does the other side speak gRPC, and %s TLS?"
              .formatted(message, resource.startsWith("grpcs:") ? "with" : "without"),
          cause);
    }
    // Netty names its own handlers where it means that the server hung up in the first bytes.
    return new IOException(
        message.contains("while performing protocol negotiation")
            ? "cannot %s %s: the server closed the connection".formatted(action, resource)
            : message,
        cause);
  }

  /** What a server says is shown, but neither at length, nor with our secret or control codes. */
  private String clean(@Nullable String text) {
    if (text == null) {
      return "";
    }
    String shown = secret.isPresent() ? text.replace(secret.get(), "***") : text;
    shown = shown.length() > LONGEST_TEXT ? shown.substring(0, LONGEST_TEXT) + "..." : shown;
    return shown.replaceAll("\\p{Cntrl}+", " ").strip();
  }
}
