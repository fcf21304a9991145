package dev.r3map.cli.mount;

import dev.r3map.backend.Geometry;
import dev.r3map.backend.Sizes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongUnaryOperator;

/** The chunks that a user wants first, from a file of offsets. */
final class PullOrder {
  private static final int DEFAULT_CHUNK = 256 << 10;
  private static final int HEXADECIMAL = 16;

  private PullOrder() {}

  /**
   * Priorities for {@code ManagedMount.pullPriority}: the sooner a chunk is named, the higher;
   * chunks that are not named come last.
   *
   * @throws IllegalArgumentException if a line is not an offset
   */
  static LongUnaryOperator read(Path file, int chunkSize) throws IOException {
    List<String> lines = Files.readAllLines(file);
    Map<Long, Long> priorities = new HashMap<>();
    for (int i = 0; i < lines.size(); i++) {
      String text = lines.get(i).replaceFirst("#.*", "").strip();
      if (!text.isEmpty()) {
        long offset = offset(text, file, i + 1);
        priorities.putIfAbsent(offset - offset % chunkSize, (long) lines.size() - i);
      }
    }
    return offset -> priorities.getOrDefault(offset, 0L);
  }

  private static long offset(String text, Path file, int line) {
    try {
      return text.startsWith("0x") || text.startsWith("0X")
          ? Long.parseLong(text, 2, text.length(), HEXADECIMAL)
          : Sizes.parse(text);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "%s, line %d: '%s' is no offset; expected 4096, 0x1000 or 4KiB"
              .formatted(file, line, text),
          e);
    }
  }

  /** The chunk size that a managed mount chooses on its own. */
  static int chunkSize(Geometry geometry) {
    int preferred = geometry.preferredChunk();
    return preferred >= 4096 && preferred <= 32 << 20 && Integer.bitCount(preferred) == 1
        ? preferred
        : DEFAULT_CHUNK;
  }
}
