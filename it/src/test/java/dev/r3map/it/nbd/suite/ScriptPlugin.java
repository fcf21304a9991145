package dev.r3map.it.nbd.suite;

import static dev.r3map.nbd.protocol.Transmission.FLAG_CAN_MULTI_CONN;
import static dev.r3map.nbd.protocol.Transmission.FLAG_ROTATIONAL;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_CACHE;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_FAST_ZERO;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_FLUSH;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_FUA;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_TRIM;

import dev.r3map.nbd.NbdExport;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** nbdkit's sh and eval plugins. */
final class ScriptPlugin implements Plugin {
  private final Script script;

  private ScriptPlugin(Script script) {
    this.script = script;
  }

  /** One script for all methods, from a file or from standard input. */
  static ScriptPlugin sh(Parameters parameters) throws IOException {
    String file = parameters.magic("script").orElseThrow();
    Script script =
        file.equals("-")
            ? Script.text(new String(System.in.readAllBytes(), StandardCharsets.UTF_8))
            : Script.program(Path.of(file));
    for (String assignment : parameters.assignments()) {
      int equals = assignment.indexOf('=');
      script.call(
          new byte[0], "config", assignment.substring(0, equals), assignment.substring(equals + 1));
    }
    return new ScriptPlugin(script);
  }

  /** A script for each method. */
  static ScriptPlugin eval(Parameters parameters) throws IOException {
    Map<String, String> methods = new LinkedHashMap<>();
    for (String assignment : parameters.assignments()) {
      int equals = assignment.indexOf('=');
      methods.put(assignment.substring(0, equals), assignment.substring(equals + 1));
    }
    return new ScriptPlugin(Script.methods(methods));
  }

  @Override
  public List<String> list() throws IOException {
    Optional<String> told = script.text("list_exports", "false", "");
    if (told.isEmpty()) {
      return List.of("");
    }
    List<String> names = new ArrayList<>(told.get().lines().toList());
    if (!names.isEmpty() && names.getFirst().equals("NAMES")) {
      names.removeFirst();
    }
    return names;
  }

  @Override
  public Opened open(String name) throws IOException {
    String handle = script.text("open", "false", name, "false").orElse("");
    ScriptBackend backend = new ScriptBackend(script, handle);
    boolean writable = script.answer("can_write", handle).orElse(script.has("pwrite"));
    Features features = Features.UNCHANGED;
    boolean flush = script.answer("can_flush", handle).orElse(script.has("flush"));
    features = features.setting(FLAG_SEND_FLUSH, flush);
    features =
        features.setting(
            FLAG_SEND_FUA,
            script.text("can_fua", handle).map(how -> !how.equals("none")).orElse(flush));
    features =
        features.setting(
            FLAG_SEND_CACHE,
            script.text("can_cache", handle).map(how -> !how.equals("none")).orElse(false));
    features = setting(features, handle, "can_multi_conn", FLAG_CAN_MULTI_CONN);
    features = setting(features, handle, "is_rotational", FLAG_ROTATIONAL);
    if (writable) {
      features =
          features.setting(
              FLAG_SEND_TRIM, script.answer("can_trim", handle).orElse(script.has("trim")));
      features =
          features.setting(
              FLAG_SEND_FAST_ZERO, script.answer("can_fast_zero", handle).orElse(false));
    }
    return new Opened(NbdExport.of(name, backend).withReadOnly(!writable), features);
  }

  private Features setting(Features features, String handle, String method, int flag)
      throws IOException {
    return features.setting(flag, script.answer(method, handle).orElse(false));
  }
}
