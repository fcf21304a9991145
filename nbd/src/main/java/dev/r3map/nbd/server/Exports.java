package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Handshake.REP_ERR_TLS_REQD;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_UNKNOWN;

import dev.r3map.nbd.NbdExport;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a server offers, by name. */
public final class Exports {
  private final Map<String, Export> byName = new LinkedHashMap<>();

  /**
   * @throws IllegalArgumentException if two have one name, or one cannot be expressed
   * @throws IOException if a backend cannot tell its size
   */
  public Exports(List<NbdExport> served) throws IOException {
    for (NbdExport export : served) {
      if (byName.putIfAbsent(export.name(), new Export(export)) != null) {
        throw new IllegalArgumentException("two exports named '%s'".formatted(export.name()));
      }
    }
  }

  /** In the order in which they were given, those that may be seen. */
  List<Export> visible(boolean encrypted) {
    return byName.values().stream().filter(export -> encrypted || !export.tlsOnly()).toList();
  }

  /** The empty name is that of the first export that may be seen, unless one is called that. */
  Export find(String name, boolean encrypted) throws Refused {
    Export export = byName.get(name);
    List<Export> visible = visible(encrypted);
    if (export == null && name.isEmpty()) {
      export = visible.isEmpty() ? byName.values().iterator().next() : visible.getFirst();
    }
    if (export == null) {
      throw new Refused(REP_ERR_UNKNOWN, "no export is named '%s'".formatted(name));
    }
    if (export.tlsOnly() && !encrypted) {
      throw new Refused(REP_ERR_TLS_REQD, "this export requires TLS");
    }
    return export;
  }
}
