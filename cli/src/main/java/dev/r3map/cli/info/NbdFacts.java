package dev.r3map.cli.info;

import dev.r3map.backend.Backend;
import dev.r3map.cli.term.JsonObject;
import dev.r3map.nbd.NbdBackend;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * What an NBD server says beyond what every resource has.
 *
 * @param protocol what was agreed on, for servers may be of any age
 * @param features what can be asked of the export
 * @param description of the export; may be empty
 * @param exports all that the server has; empty if it does not tell
 */
public record NbdFacts(
    String protocol, List<String> features, String description, List<String> exports) {

  /** Empty for resources of other kinds. */
  public static Optional<NbdFacts> of(Backend backend) {
    if (!(backend instanceof NbdBackend nbd)) {
      return Optional.empty();
    }
    return Optional.of(
        new NbdFacts(nbd.protocol(), nbd.features(), nbd.description(), exports(nbd)));
  }

  private static List<String> exports(NbdBackend nbd) {
    try {
      return nbd.exports();
    } catch (IOException e) {
      // It may keep that to itself.
      return List.of();
    }
  }

  public JsonObject json() {
    return new JsonObject()
        .with("protocol", protocol)
        .with("description", description)
        .withAll("features", features)
        .withAll("exports", exports);
  }
}
