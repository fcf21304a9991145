package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.nbd.NbdExport;
import java.io.IOException;
import java.util.List;

/** Where bytes come from. Filters are plugins too. */
interface Plugin {

  /** What clients see that ask what there is. */
  default List<String> list() throws IOException {
    return List.of("");
  }

  default String description(String name) {
    return "";
  }

  /** An export, by the name that a client asks for. */
  Opened open(String name) throws IOException;

  /** An export that was opened. */
  record Opened(NbdExport export, Features features) {
    static Opened of(String name, Backend backend) {
      return new Opened(NbdExport.of(name, backend), Features.UNCHANGED);
    }

    static Opened readOnly(String name, Backend backend) {
      return new Opened(NbdExport.of(name, backend).withReadOnly(true), Features.UNCHANGED);
    }

    Opened over(Backend backend) {
      NbdExport changed =
          NbdExport.of(export.name(), backend)
              .withDescription(export.description())
              .withReadOnly(export.readOnly());
      return new Opened(changed, features);
    }

    Opened with(Features changed) {
      return new Opened(export, changed);
    }
  }
}
