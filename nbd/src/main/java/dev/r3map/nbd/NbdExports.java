package dev.r3map.nbd;

import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * What a server offers, where that is known only when a client asks. The backends stay the
 * implementor's, who closes them after the server. Thread-safe.
 */
public interface NbdExports {

  /** What a client gets that asks what there is; their backends are not touched for that. */
  List<NbdExport> list() throws IOException;

  /**
   * What a client gets that asks for a name, which need not be listed; the empty name is asked for
   * by clients that give none. For the same name it is the same backend as long as a client has it.
   *
   * @throws IOException if there is such an export but it cannot be had; the client is told
   */
  Optional<NbdExport> find(String name) throws IOException;
}
