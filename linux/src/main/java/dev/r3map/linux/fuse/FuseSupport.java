package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.UserCalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Whether FUSE can be used here. */
public final class FuseSupport {
  /** Bit of CAP_SYS_ADMIN in the masks of {@code /proc/self/status}; capabilities(7). */
  private static final int CAP_SYS_ADMIN = 21;

  private static final int HEXADECIMAL = 16;

  private FuseSupport() {}

  /** Why not, and what to do about it. */
  public static Optional<String> unavailable() {
    if (!System.getProperty("os.name").equals("Linux")) {
      return Optional.of("FUSE: this is not Linux");
    }
    if (!Files.exists(FuseMount.DEVICE)) {
      return Optional.of(
          "FUSE: there is no /dev/fuse; load the module (modprobe fuse), or start the container"
              + " with --device /dev/fuse --cap-add SYS_ADMIN");
    }
    try {
      return canMount() ? canOpen() : withoutRights();
    } catch (IOException e) {
      return Optional.of("FUSE: cannot tell: " + e);
    } catch (LinkageError | IllegalCallerException e) {
      return Optional.of(
          "FUSE: native calls are denied; start java with --enable-native-access=dev.r3map.linux");
    }
  }

  private static Optional<String> canOpen() {
    try {
      FileCalls.close(FileCalls.open(FuseMount.DEVICE, FileCalls.O_RDWR, 0));
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of(
          "FUSE: "
              + e.getMessage()
              + "; load the module (modprobe fuse), or start the container with"
              + " --device /dev/fuse");
    }
  }

  private static Optional<String> withoutRights() {
    if (!hasFusermount()) {
      return Optional.of(
          "FUSE: only root may mount without fusermount3; install the package fuse3");
    }
    // The helper opens the device with our rights, not with its own.
    return Files.isWritable(FuseMount.DEVICE)
        ? Optional.empty()
        : Optional.of(
            "FUSE: this user may not open /dev/fuse; allow it (chmod 666 /dev/fuse, or a udev"
                + " rule)");
  }

  private static boolean canMount() throws IOException {
    if (!UserCalls.isRoot()) {
      return false;
    }
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("CapEff:")) {
        String mask = line.substring(line.indexOf(':') + 1).trim();
        return ((Long.parseUnsignedLong(mask, HEXADECIMAL) >>> CAP_SYS_ADMIN) & 1) != 0;
      }
    }
    return true;
  }

  private static boolean hasFusermount() {
    String path = Optional.ofNullable(System.getenv("PATH")).orElse("/usr/bin:/bin");
    for (String directory : path.split(":", -1)) {
      for (String program : Fusermount.PROGRAMS) {
        if (Files.isExecutable(Path.of(directory, program))) {
          return true;
        }
      }
    }
    return false;
  }
}
