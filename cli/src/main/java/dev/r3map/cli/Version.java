package dev.r3map.cli;

import java.util.Objects;

/** Which r3map this is. */
final class Version {
  private Version() {}

  /** As the jar says; a build that is not in one has none. */
  static String text() {
    return Objects.requireNonNullElse(
        Version.class.getPackage().getImplementationVersion(), "unpackaged");
  }
}
