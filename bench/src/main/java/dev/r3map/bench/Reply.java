package dev.r3map.bench;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a program or a station answered: {@code key=value} words on a line. */
record Reply(Map<String, String> words) {
  static Reply parse(String line) {
    Map<String, String> words = new LinkedHashMap<>();
    for (String word : line.strip().split("\\s+", -1)) {
      int equals = word.indexOf('=');
      if (equals > 0) {
        words.put(word.substring(0, equals), word.substring(equals + 1));
      }
    }
    return new Reply(words);
  }

  boolean has(String key) {
    return words.containsKey(key);
  }

  String text(String key) {
    String value = words.get(key);
    if (value == null) {
      throw new IllegalStateException("no '%s' in %s".formatted(key, words));
    }
    return value;
  }

  String text(String key, String otherwise) {
    return words.getOrDefault(key, otherwise);
  }

  long number(String key) {
    return Long.parseLong(text(key));
  }

  long number(String key, long otherwise) {
    return has(key) ? number(key) : otherwise;
  }

  double real(String key) {
    return Double.parseDouble(text(key));
  }

  boolean flag(String key) {
    return "true".equals(words.get(key));
  }

  /** Insists that bytes are what they have to be. */
  void checkSum(long expected, String who) throws IOException {
    long actual = Long.parseUnsignedLong(text("sum"), 16);
    if (actual != expected) {
      throw new IOException(
          "%s served other bytes: sum %x, not %x".formatted(who, actual, expected));
    }
  }
}
