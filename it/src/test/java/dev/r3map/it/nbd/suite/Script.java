package dev.r3map.it.nbd.suite;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.ReadOnlyException;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Calls a program for each method, as nbdkit's sh and eval plugins do. */
final class Script {
  private static final int OK = 0;
  private static final int MISSING = 2;
  private static final int FALSE = 3;

  private final List<String> program;
  private final Map<String, String> methods;
  private final Path folder;

  private Script(List<String> program, Map<String, String> methods) throws IOException {
    this.program = program;
    this.methods = methods;
    this.folder = Files.createTempDirectory("nbdkit");
    Runtime.getRuntime().addShutdownHook(new Thread(this::clean));
  }

  /** One program for all methods, whose first argument says which. */
  static Script program(Path file) throws IOException {
    return new Script(List.of(file.toAbsolutePath().toString()), Map.of());
  }

  /** The same, as text. */
  static Script text(String script) throws IOException {
    return new Script(List.of("/bin/sh", "-c", script, "sh"), Map.of());
  }

  /** A script for each method. */
  static Script methods(Map<String, String> methods) throws IOException {
    return new Script(List.of(), methods);
  }

  /** What it printed, unless it has no such method. */
  Optional<ByteBuffer> call(byte[] input, String method, Object... arguments) throws IOException {
    Result result = run(input, method, arguments);
    return switch (result.status) {
      case OK -> Optional.of(result.output);
      case MISSING -> Optional.empty();
      default -> throw failure(method, result.errors);
    };
  }

  Optional<String> text(String method, Object... arguments) throws IOException {
    return call(new byte[0], method, arguments)
        .map(output -> StandardCharsets.UTF_8.decode(output).toString().strip());
  }

  /** Whether it says yes, unless it has no such method. */
  Optional<Boolean> answer(String method, Object... arguments) throws IOException {
    Result result = run(new byte[0], method, arguments);
    return switch (result.status) {
      case OK -> Optional.of(true);
      case FALSE -> Optional.of(false);
      case MISSING -> Optional.empty();
      default -> throw failure(method, result.errors);
    };
  }

  boolean has(String method) {
    return methods.containsKey(method);
  }

  private record Result(int status, ByteBuffer output, String errors) {}

  private Result run(byte[] input, String method, Object... arguments) throws IOException {
    List<String> command = new ArrayList<>(program);
    if (program.isEmpty()) {
      String script = methods.get(method);
      if (script == null) {
        return new Result(MISSING, ByteBuffer.allocate(0), "");
      }
      command.addAll(List.of("/bin/sh", "-c", script, method));
    }
    command.add(method);
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    Path errors = Files.createTempFile(folder, "errors", "");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(Redirect.to(errors.toFile()));
    builder.environment().put("tmpdir", folder.toString());
    Process process = builder.start();
    Thread.ofVirtual()
        .start(() -> {
          try (var stdin = process.getOutputStream()) {
            stdin.write(input);
          } catch (IOException e) {
            // It does not want all of it.
          }
        });
    try {
      byte[] output = process.getInputStream().readAllBytes();
      int status = process.waitFor();
      return new Result(status, ByteBuffer.wrap(output), Files.readString(errors).strip());
    } catch (InterruptedException e) {
      process.destroyForcibly();
      throw new IOException(method + " was interrupted", e);
    } finally {
      Files.deleteIfExists(errors);
    }
  }

  private static IOException failure(String method, String errors) {
    String message = method + ": " + errors;
    return switch (errors.replaceFirst("\\W(?s:.*)", "")) {
      case "ENOSPC" -> new NoSpaceException(message);
      case "EPERM", "EROFS" -> new ReadOnlyException(message);
      case "ENOMEM" -> throw new OutOfMemoryError(message);
      default -> new IOException(message);
    };
  }

  private void clean() {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.deleteIfExists(file);
      }
      Files.deleteIfExists(folder);
    } catch (IOException e) {
      System.err.println("cannot remove " + folder + ": " + e);
    }
  }
}
