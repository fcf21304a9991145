package dev.r3map.cli.args;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Bearer tokens: from a file or the environment, never from an argument, which others can see. */
final class Tokens {
  /** No token is longer; a file that is was given by mistake. */
  private static final int MOST_BYTES = 16 << 10;

  static final String VARIABLE = "R3MAP_TOKEN";

  private Tokens() {}

  /** What the file holds; without a file, what the environment does. */
  static Optional<String> from(@Nullable Path file) throws IOException {
    if (file != null) {
      return Optional.of(read(file));
    }
    return Optional.ofNullable(System.getenv(VARIABLE)).filter(token -> !token.isBlank());
  }

  private static String read(Path file) throws IOException {
    if (Files.size(file) > MOST_BYTES) {
      throw new IOException(file + " is no token file: it has more than 16 KiB");
    }
    String token = Files.readString(file).strip();
    if (token.isEmpty()) {
      throw new IOException("the token file " + file + " is empty");
    }
    return token;
  }
}
