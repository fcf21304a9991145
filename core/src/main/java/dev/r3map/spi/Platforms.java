package dev.r3map.spi;

import java.lang.System.Logger.Level;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;

/** Finds the platform once. */
final class Platforms {
  static final Platform CURRENT = find();

  private Platforms() {}

  private static Platform find() {
    try {
      return ServiceLoader.load(Platform.class).findFirst().orElseGet(PortablePlatform::new);
    } catch (ServiceConfigurationError e) {
      // It is for another system, or native calls are denied to it: do without.
      Throwable cause = e;
      while (cause.getCause() != null) {
        cause = cause.getCause();
      }
      System.getLogger(Platform.class.getName())
          .log(Level.WARNING, "going on without the platform of this system: " + cause);
      return new PortablePlatform();
    }
  }
}
