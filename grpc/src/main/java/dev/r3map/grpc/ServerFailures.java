package dev.r3map.grpc;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.backend.ResourceChangedException;
import io.grpc.Status;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.channels.ClosedByInterruptException;

/** Turns what a backend throws into what the client is told. */
final class ServerFailures {
  private static final Logger LOG = System.getLogger(ServerFailures.class.getName());

  /** HTTP/2 limits what a trailer may hold, and an exception's text is not limited. */
  private static final int LONGEST_TEXT = 300;

  private ServerFailures() {}

  static Refusal of(Throwable failure) {
    String text = text(failure);
    return switch (failure) {
      case Refusal refusal -> refusal;
      case MalformedException e -> new Refusal(Status.Code.INVALID_ARGUMENT, text);
      case NoSpaceException e -> new Refusal(ErrorKind.NO_SPACE, text);
      case ReadOnlyException e -> new Refusal(ErrorKind.READ_ONLY, text);
      case ResourceChangedException e -> new Refusal(ErrorKind.RESOURCE_CHANGED, text);
      case PermanentIOException e -> new Refusal(ErrorKind.PERMANENT, text);
      case InterruptedIOException e -> new Refusal(Status.Code.CANCELLED, text);
      case ClosedByInterruptException e -> new Refusal(Status.Code.CANCELLED, "interrupted");
      case InterruptedException e -> new Refusal(Status.Code.CANCELLED, "interrupted");
      case IOException e -> new Refusal(ErrorKind.TRANSIENT, text);
      case IndexOutOfBoundsException e -> new Refusal(Status.Code.OUT_OF_RANGE, text);
      default -> {
        // Ours or the backend's fault: the client cannot mend it, so say it where it can be mended.
        LOG.log(Level.WARNING, "unexpected failure while serving a call", failure);
        yield new Refusal(Status.Code.INTERNAL, "unexpected failure in the server");
      }
    };
  }

  private static String text(Throwable failure) {
    String text = failure.getMessage();
    if (text == null || text.isBlank()) {
      return failure.getClass().getSimpleName();
    }
    return text.length() <= LONGEST_TEXT ? text : text.substring(0, LONGEST_TEXT) + "...";
  }
}
