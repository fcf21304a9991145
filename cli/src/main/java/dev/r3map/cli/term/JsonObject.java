package dev.r3map.cli.term;

import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/** A JSON object for machines, its members in the order in which they were added. */
public final class JsonObject {
  private final Map<String, Object> members = new LinkedHashMap<>();

  /** What begins with this member says what happened; the others are about that. */
  public static JsonObject event(String name) {
    return new JsonObject().with("event", name);
  }

  public JsonObject with(String name, String value) {
    members.put(name, Secrets.mask(value));
    return this;
  }

  public JsonObject with(String name, long value) {
    members.put(name, value);
    return this;
  }

  public JsonObject with(String name, double value) {
    members.put(name, value);
    return this;
  }

  public JsonObject with(String name, boolean value) {
    members.put(name, value);
    return this;
  }

  public JsonObject with(String name, JsonObject value) {
    members.put(name, value);
    return this;
  }

  public JsonObject with(String name, List<JsonObject> values) {
    members.put(name, values);
    return this;
  }

  public JsonObject withAll(String name, List<String> values) {
    members.put(name, values.stream().map(Secrets::mask).toList());
    return this;
  }

  /** Adds nothing if there is no value. */
  @SuppressWarnings("OptionalUsedAsFieldOrParameterType")
  public JsonObject withAny(String name, Optional<String> value) {
    value.ifPresent(present -> with(name, present));
    return this;
  }

  /** The object in one line. */
  @Override
  public String toString() {
    StringWriter line = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(ObjectWriteContext.empty(), line)) {
      write(json);
    }
    return line.toString();
  }

  private void write(JsonGenerator json) {
    json.writeStartObject();
    members.forEach((name, value) -> {
      json.writeName(name);
      write(json, value);
    });
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, Object value) {
    switch (value) {
      case String text -> json.writeString(text);
      case Long number -> json.writeNumber(number);
      case Double number -> json.writeNumber(number);
      case Boolean truth -> json.writeBoolean(truth);
      case JsonObject object -> object.write(json);
      case List<?> list -> {
        json.writeStartArray();
        list.forEach(element -> write(json, element));
        json.writeEndArray();
      }
      default -> throw new IllegalStateException("no JSON for a " + value.getClass());
    }
  }
}
