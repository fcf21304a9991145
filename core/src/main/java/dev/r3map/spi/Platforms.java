package dev.r3map.spi;

import java.util.ServiceLoader;

/** Finds the platform once. */
final class Platforms {
  static final Platform CURRENT =
      ServiceLoader.load(Platform.class).findFirst().orElseGet(PortablePlatform::new);

  private Platforms() {}
}
