package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Sizes;
import java.util.List;
import java.util.Optional;

/** Parameters of a plugin and its filters, {@code key=value}; one without a key is the plugin's. */
record Parameters(List<String> words) {

  /** All values of a key. */
  List<String> all(String key) {
    return words.stream()
        .filter(word -> word.startsWith(key + "="))
        .map(word -> word.substring(key.length() + 1))
        .toList();
  }

  Optional<String> value(String key) {
    return all(key).stream().findFirst();
  }

  /** The value of a key that need not be written. */
  Optional<String> magic(String key) {
    return value(key)
        .or(() ->
            words.stream().filter(word -> !word.matches("[A-Za-z][\\w.-]*=(?s:.)*")).findFirst());
  }

  Optional<Long> size(String key) {
    return value(key).map(Parameters::parseSize);
  }

  Optional<Long> magicSize(String key) {
    return magic(key).map(Parameters::parseSize);
  }

  /** Each with its key. */
  List<String> assignments() {
    return words.stream().filter(word -> word.indexOf('=') > 0).toList();
  }

  static long parseSize(String text) {
    return Sizes.parse(text.strip());
  }
}
