package dev.r3map.linux.fuse;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Predicate;

/** The mounts that this process sees: {@code /proc/self/mountinfo}, proc(5). */
final class MountInfo {
  private static final int DEVICE = 2;
  private static final int MOUNT_POINT = 4;
  private static final int OCTAL = 8;
  private static final int OCTAL_DIGITS = 3;

  private MountInfo() {}

  /** Whether something is mounted exactly at a path, which has no symbolic links. */
  static boolean isMountPoint(Path path) throws IOException {
    return any(path, device -> true);
  }

  /** Whether the file system of a device without a disk is mounted at a path. */
  static boolean isMounted(Path path, int minor) throws IOException {
    return any(path, device -> device.equals("0:" + minor));
  }

  private static boolean any(Path path, Predicate<String> device) throws IOException {
    // Names are bytes of any kind: one character for each, so that none is malformed.
    String wanted = new String(path.toString().getBytes(UTF_8), ISO_8859_1);
    for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"), ISO_8859_1)) {
      String[] fields = line.split(" ", MOUNT_POINT + 2);
      if (unescape(fields[MOUNT_POINT]).equals(wanted) && device.test(fields[DEVICE])) {
        return true;
      }
    }
    return false;
  }

  /** Spaces and the like are written as a backslash and three octal digits, byte by byte. */
  static String unescape(String text) {
    StringBuilder plain = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) == '\\' && i + OCTAL_DIGITS < text.length()) {
        plain.append((char) Integer.parseInt(text, i + 1, i + 1 + OCTAL_DIGITS, OCTAL));
        i += OCTAL_DIGITS;
      } else {
        plain.append(text.charAt(i));
      }
    }
    return plain.toString();
  }
}
