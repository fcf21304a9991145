package dev.r3map.nbd.client;

import static dev.r3map.nbd.protocol.Transmission.CMD_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLUSH;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_TRIM;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.EINVAL;
import static dev.r3map.nbd.protocol.Transmission.EIO;
import static dev.r3map.nbd.protocol.Transmission.ENOMEM;
import static dev.r3map.nbd.protocol.Transmission.ENOSPC;
import static dev.r3map.nbd.protocol.Transmission.ENOTSUP;
import static dev.r3map.nbd.protocol.Transmission.EOVERFLOW;
import static dev.r3map.nbd.protocol.Transmission.EPERM;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.backend.ResourceChangedException;
import java.io.IOException;
import java.io.InterruptedIOException;

/** Turns what went wrong into the exception that {@link dev.r3map.backend.Backend} promises. */
public final class Failures {
  private final String resource;

  public Failures(String resource) {
    this.resource = resource;
  }

  /** The server refused a request. */
  IOException refused(Request request) {
    String said = request.message().isEmpty() ? name(request.error()) : request.message();
    String message = message(action(request), said);
    boolean changes = request.type != CMD_READ && request.type != CMD_BLOCK_STATUS;
    return switch (request.error()) {
      case EPERM -> changes ? new ReadOnlyException(message) : new PermanentIOException(message);
      case EINVAL, ENOTSUP, EOVERFLOW -> new PermanentIOException(message);
      case ENOSPC -> changes ? new NoSpaceException(message) : new IOException(message);
      default -> new IOException(message);
    };
  }

  /** The same, for what ended it on this side. */
  public IOException of(String action, IOException cause) {
    String message = message(action, describe(cause));
    return switch (cause) {
      case MalformedException _ ->
          new PermanentIOException(
              message(action, "the server breaks the protocol (" + describe(cause) + ")"), cause);
      case ResourceChangedException _ -> new ResourceChangedException(message);
      case PermanentIOException _ -> new PermanentIOException(message, cause);
      case InterruptedIOException _ -> {
        InterruptedIOException interrupted = new InterruptedIOException(message);
        interrupted.initCause(cause);
        yield interrupted;
      }
      default -> new IOException(message, cause);
    };
  }

  IOException closed(String action) {
    return new PermanentIOException(message(action, "closed"));
  }

  public ReadOnlyException readOnly(String action) {
    return new ReadOnlyException(message(action, "it is read-only"));
  }

  private String message(String action, String what) {
    return "cannot %s %s: %s".formatted(action, resource, what);
  }

  static String action(Request request) {
    return switch (request.type) {
      case CMD_READ -> action("read", request.offset, request.length);
      case CMD_WRITE -> action("write", request.offset, request.length);
      case CMD_FLUSH -> "sync";
      case CMD_TRIM -> action("discard", request.offset, request.length);
      case CMD_BLOCK_STATUS -> action("list the extents of", request.offset, request.length);
      default -> action("zero", request.offset, request.length);
    };
  }

  public static String action(String verb, long offset, long length) {
    return verb + " (offset=" + offset + ", length=" + length + ")";
  }

  static String describe(IOException e) {
    String message = e.getMessage();
    return message == null ? e.getClass().getSimpleName() : message;
  }

  private static String name(int error) {
    return switch (error) {
      case EPERM -> "the server does not permit it (EPERM)";
      case EIO -> "the server failed (EIO)";
      case ENOMEM -> "the server is short of memory (ENOMEM)";
      case EINVAL -> "the server takes the request for invalid (EINVAL)";
      case ENOSPC -> "the server has no space left (ENOSPC)";
      case EOVERFLOW -> "too much at once for the server (EOVERFLOW)";
      case ENOTSUP -> "the server does not support it (ENOTSUP)";
      default -> "the server answered with error " + Integer.toUnsignedString(error);
    };
  }
}
