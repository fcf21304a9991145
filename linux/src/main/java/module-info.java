/**
 * Linux devices and memory for r3map, called through {@code java.lang.foreign}: no native library
 * of our own and none to install.
 *
 * <p>Start the JVM with {@code --enable-native-access=dev.r3map.linux} (or {@code ALL-UNNAMED} on
 * the class path), or it warns of the native calls.
 */
module dev.r3map.linux {
  requires transitive dev.r3map;
  requires static transitive org.jspecify;

  exports dev.r3map.linux;

  provides dev.r3map.spi.Platform with
      dev.r3map.linux.storage.LinuxPlatform;
}
