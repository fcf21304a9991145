package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Handshake.REP_ERR_TLS_REQD;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_UNKNOWN;

import dev.r3map.nbd.NbdExport;
import dev.r3map.nbd.NbdExports;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a server offers, by name: given once, or asked for anew by every client. */
public final class Exports {
  private final List<NbdExport> given;
  private final Map<String, Export> byName = new LinkedHashMap<>();
  private final @Nullable NbdExports changing;

  /**
   * @throws IllegalArgumentException if two have one name, or one cannot be expressed
   * @throws IOException if a backend cannot tell its size
   */
  public Exports(List<NbdExport> served) throws IOException {
    this.given = served;
    this.changing = null;
    for (NbdExport export : served) {
      if (byName.putIfAbsent(export.name(), new Export(export)) != null) {
        throw new IllegalArgumentException("two exports named '%s'".formatted(export.name()));
      }
    }
  }

  /** What may change. */
  public Exports(NbdExports changing) {
    this.given = List.of();
    this.changing = changing;
  }

  /** In the order in which they were given, those that may be seen. */
  List<NbdExport> visible(boolean encrypted) throws IOException {
    List<NbdExport> all = changing == null ? given : changing.list();
    return all.stream().filter(export -> encrypted || !export.tlsOnly()).toList();
  }

  Export find(String name, boolean encrypted) throws Refused {
    Export export;
    try {
      export = changing == null ? known(name, encrypted) : asked(changing, name);
    } catch (IOException | IllegalArgumentException e) {
      throw new Refused(REP_ERR_UNKNOWN, Failures.message(e));
    }
    if (export == null) {
      throw new Refused(REP_ERR_UNKNOWN, "no export is named '%s'".formatted(name));
    }
    if (export.tlsOnly() && !encrypted) {
      throw new Refused(REP_ERR_TLS_REQD, "this export requires TLS");
    }
    return export;
  }

  /** The empty name is that of the first export that may be seen, unless one is called that. */
  private @Nullable Export known(String name, boolean encrypted) throws IOException {
    Export export = byName.get(name);
    if (export != null || !name.isEmpty()) {
      return export;
    }
    List<NbdExport> visible = visible(encrypted);
    return byName.get((visible.isEmpty() ? given : visible).getFirst().name());
  }

  private static @Nullable Export asked(NbdExports exports, String name) throws IOException {
    NbdExport found = exports.find(name).orElse(null);
    return found == null ? null : new Export(found);
  }
}
