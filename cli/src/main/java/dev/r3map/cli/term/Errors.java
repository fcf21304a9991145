package dev.r3map.cli.term;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.ConnectException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.ExecutionException;

/** Exceptions in words: one line, no class names where there is something better. */
public final class Errors {
  private Errors() {}

  /** What went wrong, for a person. */
  public static String describe(Throwable thrown) {
    String message = inWords(thrown);
    for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
      switch (cause) {
        case ConnectException _ -> {
          return message + "; is the server running there?";
        }
        case BindException e when e.getMessage() != null && !message.contains(e.getMessage()) -> {
          return message + ": " + e.getMessage();
        }
        default -> {}
      }
    }
    return message;
  }

  private static String inWords(Throwable thrown) {
    return switch (thrown) {
      case NoSuchFileException e -> e.getFile() + ": no such file or folder";
      case AccessDeniedException e -> e.getFile() + ": permission denied";
      case FileAlreadyExistsException e -> e.getFile() + ": exists already";
      case FileSystemException e when e.getReason() == null ->
          "%s: %s".formatted(e.getFile(), e.getClass().getSimpleName());
      case UncheckedIOException e when e.getCause() != null -> inWords(e.getCause());
      case ExecutionException e when e.getCause() != null -> inWords(e.getCause());
      case IllegalArgumentException e -> message(e);
      case RuntimeException e -> "%s (%s)".formatted(message(e), e.getClass().getSimpleName());
      case Error e -> "%s (%s)".formatted(message(e), e.getClass().getSimpleName());
      default -> message(thrown);
    };
  }

  /** For those who want to know where; with every cause. */
  public static String stack(Throwable thrown) {
    StringWriter stack = new StringWriter();
    thrown.printStackTrace(new PrintWriter(stack));
    return Secrets.mask(stack.toString().stripTrailing());
  }

  /** In one line, whatever a library put into it. */
  private static String message(Throwable thrown) {
    String message = thrown.getMessage();
    return message == null || message.isBlank()
        ? thrown.getClass().getSimpleName()
        : message.strip().replaceAll("\\s*\\R\\s*", " ");
  }
}
