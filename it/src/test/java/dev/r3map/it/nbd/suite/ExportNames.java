package dev.r3map.it.nbd.suite;

import dev.r3map.nbd.NbdExport;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.List;

/** Offers what is below under other names. */
final class ExportNames implements Plugin {
  private final Plugin next;
  private final List<String> names;
  private final boolean strict;
  private final String byDefault;
  private final String description;

  ExportNames(Plugin next, Parameters parameters) {
    this.next = next;
    names = parameters.all("exportname");
    strict = parameters.value("exportname-strict").orElse("false").equals("true");
    byDefault = parameters.value("default-export").orElse("");
    description = parameters.value("exportdesc").orElse("").replaceFirst("^fixed:", "");
  }

  @Override
  public List<String> list() {
    return names.isEmpty() ? List.of(byDefault) : names;
  }

  @Override
  public String description(String name) {
    return description;
  }

  @Override
  public Opened open(String asked) throws IOException {
    String name = asked.isEmpty() ? byDefault : asked;
    if (strict && !names.contains(name)) {
      throw new FileNotFoundException("no export " + name);
    }
    Opened opened = next.open("");
    NbdExport export = opened.export();
    return new Opened(
        NbdExport.of(name, export.backend())
            .withDescription(description)
            .withReadOnly(export.readOnly()),
        opened.features());
  }
}
