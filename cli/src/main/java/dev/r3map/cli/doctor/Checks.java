package dev.r3map.cli.doctor;

import dev.r3map.linux.Fuse;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.Platform;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Everything that is looked at. */
public final class Checks {
  private static final int MIB = 1 << 20;

  /** The first kernel that lets FUSE files be read without us; FUSE_PASSTHROUGH. */
  private static final int PASSTHROUGH_MAJOR = 6;

  private static final int PASSTHROUGH_MINOR = 9;

  private static final Pattern KERNEL = Pattern.compile("(\\d+)\\.(\\d+).*");

  private Checks() {}

  /** In the order in which they matter. */
  public static List<Finding> all() {
    return List.of(jdk(), fuse(), user(), passthrough(), memory(), sparseFiles(), startUp());
  }

  /** The launcher finds one that is new enough, or this would not run. */
  private static Finding jdk() {
    return Finding.works(
        "JDK",
        "%s (%s), in %s"
            .formatted(
                System.getProperty("java.runtime.version"),
                System.getProperty("java.vendor"),
                System.getProperty("java.home")));
  }

  private static Finding fuse() {
    return Fuse.unavailable()
        .map(reason -> Finding.missing("mount", reason))
        .orElseGet(() -> Finding.works("mount", "resources can be mounted as files, with FUSE"))
        .asNeeded();
  }

  private static Finding user() {
    if (isRoot()) {
      return Finding.works("users", "this is root: every user can open what it mounts");
    }
    return Finding.limited(
        "users",
        "only %s can open what is mounted; started by root, all users can"
            .formatted(System.getProperty("user.name")));
  }

  private static Finding passthrough() {
    String name = "passthrough";
    String kernel = System.getProperty("os.version");
    if (!isAtLeast(kernel, PASSTHROUGH_MAJOR, PASSTHROUGH_MINOR)) {
      return Finding.limited(
          name,
          "Linux %s is older than %d.%d: what is wholly local is still read through this process"
              .formatted(kernel, PASSTHROUGH_MAJOR, PASSTHROUGH_MINOR));
    }
    return isRoot()
        ? Finding.works(name, "what is read-only and wholly local is read by the kernel itself")
        : Finding.limited(name, "only root may let the kernel read on its own");
  }

  private static Finding memory() {
    try (LocalStorage storage = Platform.current().memory(MIB)) {
      return storage.descriptor().isPresent()
          ? Finding.works("memory", "local bytes are kept in memory that takes what is written")
          : Finding.limited(
              "memory", "no memfd here: local bytes are kept in a temporary file instead");
    } catch (IOException e) {
      return Finding.missing("memory", "cannot take memory for local bytes: " + e.getMessage());
    }
  }

  private static Finding sparseFiles() {
    String name = "holes";
    try {
      Path file = Files.createTempFile("r3map-doctor-", ".tmp");
      try (LocalStorage storage = Platform.current().file(file, MIB)) {
        storage.write(ByteBuffer.allocate(MIB), 0);
        return Platform.current().punch(file, 0, MIB)
            ? Finding.works(name, "files in %s can have holes".formatted(file.getParent()))
            : Finding.limited(
                name,
                "files in %s cannot have holes: zeros take space there"
                    .formatted(file.getParent()));
      } finally {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      return Finding.limited(name, "cannot try it: " + e.getMessage());
    }
  }

  private static Finding startUp() {
    String name = "start-up";
    try {
      boolean cached = Files.readString(Path.of("/proc/self/maps")).contains("r3map.aot");
      return cached
          ? Finding.works(name, "with an AOT cache")
          : Finding.limited(
              name, "without an AOT cache, thus slower; the launcher ./r3map makes one");
    } catch (IOException e) {
      return Finding.limited(name, "cannot tell whether there is an AOT cache: " + e.getMessage());
    }
  }

  private static boolean isRoot() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
        Matcher uid = Pattern.compile("Uid:\\s+\\d+\\s+(\\d+)\\s.*").matcher(line);
        if (uid.matches()) {
          return uid.group(1).equals("0");
        }
      }
    } catch (IOException e) {
      return false;
    }
    return false;
  }

  static boolean isAtLeast(String kernel, int major, int minor) {
    Matcher version = KERNEL.matcher(kernel);
    if (!version.matches()) {
      return false;
    }
    int itsMajor = Integer.parseInt(version.group(1));
    int itsMinor = Integer.parseInt(version.group(2));
    return itsMajor > major || (itsMajor == major && itsMinor >= minor);
  }
}
