package dev.r3map.linux.fuse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What {@code /proc} says of threads and of memory; proc(5). */
final class Processes {
  /** Bit of SIGKILL: the kernel makes it pending in every thread of a process that must die. */
  private static final long SIGKILL_BIT = 1L << (9 - 1);

  private static final int HEXADECIMAL = 16;
  private static final long KIB = 1024;

  private Processes() {}

  /** Whether a thread, by the number that the kernel puts into requests, is one of this JVM. */
  static boolean isOurs(int threadId) {
    return Files.exists(Path.of("/proc/self/task/" + threadId));
  }

  /** Whether a thread has a signal that it will not survive. */
  static boolean isBeingKilled(int threadId) {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/" + threadId + "/status"))) {
        if (line.startsWith("SigPnd:") || line.startsWith("ShdPnd:")) {
          String mask = line.substring(line.indexOf(':') + 1).trim();
          if ((Long.parseUnsignedLong(mask, HEXADECIMAL) & SIGKILL_BIT) != 0) {
            return true;
          }
        }
      }
      return false;
    } catch (IOException e) {
      // It is gone already.
      return false;
    }
  }

  /** Memory in bytes. */
  record Memory(long total, long available) {}

  /** How much memory there is; nothing at all if that cannot be told. */
  static Memory memory() {
    long total = 0;
    long available = 0;
    try {
      for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
        if (line.startsWith("MemTotal:")) {
          total = kibibytes(line);
        } else if (line.startsWith("MemAvailable:")) {
          available = kibibytes(line);
        }
      }
    } catch (IOException | NumberFormatException e) {
      return new Memory(0, 0);
    }
    return new Memory(total, available);
  }

  private static long kibibytes(String line) {
    String value = line.substring(line.indexOf(':') + 1, line.lastIndexOf(' ')).trim();
    return Long.parseLong(value) * KIB;
  }
}
