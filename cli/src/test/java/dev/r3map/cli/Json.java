package dev.r3map.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/** Reads what the command writes for machines. */
final class Json {
  private Json() {}

  /** The members of an object in one line; members of nested objects as {@code outer.inner}. */
  static Map<String, Object> parse(String line) {
    Map<String, Object> members = new LinkedHashMap<>();
    try (JsonParser parser = new JsonFactory().createParser(ObjectReadContext.empty(), line)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new IllegalArgumentException("not an object: " + line);
      }
      readObject(parser, "", members);
      if (parser.nextToken() != null) {
        throw new IllegalArgumentException("more than an object: " + line);
      }
    }
    return members;
  }

  private static void readObject(JsonParser parser, String prefix, Map<String, Object> members) {
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = prefix + parser.currentName();
      switch (parser.nextToken()) {
        case START_OBJECT -> readObject(parser, name + ".", members);
        case VALUE_STRING -> members.put(name, parser.getString());
        case VALUE_NUMBER_INT -> members.put(name, parser.getLongValue());
        case VALUE_NUMBER_FLOAT -> members.put(name, parser.getDoubleValue());
        case VALUE_TRUE -> members.put(name, true);
        case VALUE_FALSE -> members.put(name, false);
        default -> throw new IllegalArgumentException("unexpected " + parser.currentToken());
      }
    }
  }
}
