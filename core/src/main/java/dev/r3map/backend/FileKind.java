package dev.r3map.backend;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * What a path named when it was opened.
 *
 * @param key tells the file from another one at the same path, as long as both are mounted; null
 *     where there is no such thing
 * @param inode the number of a regular file; empty for a block device
 * @param device the number of a block device
 */
record FileKind(Path path, @Nullable Object key, OptionalLong inode, OptionalLong device) {
  // stat(2): the kind of a file in st_mode.
  private static final int S_IFMT = 0xF000;
  private static final int S_IFBLK = 0x6000;

  /**
   * Looks before opening: opening a FIFO would wait for its writer, and that of a directory fails
   * with words that help nobody.
   */
  static FileKind of(Path path) throws IOException {
    BasicFileAttributes attributes;
    try {
      attributes = Files.readAttributes(path, BasicFileAttributes.class);
    } catch (NoSuchFileException e) {
      throw new PermanentIOException(
          "no such file: %s (to have it made, say 'create' and a size)".formatted(path), e);
    } catch (AccessDeniedException e) {
      throw new PermanentIOException("no permission to look at " + path, e);
    }
    if (attributes.isRegularFile()) {
      return new FileKind(
          path, attributes.fileKey(), unixNumber(path, "ino"), OptionalLong.empty());
    }
    if (attributes.isOther() && isBlockDevice(path)) {
      return new FileKind(
          path, attributes.fileKey(), OptionalLong.empty(), unixNumber(path, "rdev"));
    }
    throw new PermanentIOException(
        "%s is %s, not a regular file or a block device"
            .formatted(path, attributes.isDirectory() ? "a directory" : "a special file"));
  }

  boolean isBlockDevice() {
    return device.isPresent();
  }

  /** Whether the path still names this file. */
  boolean isStillThere() throws IOException {
    try {
      BasicFileAttributes now = Files.readAttributes(path, BasicFileAttributes.class);
      return Objects.equals(now.fileKey(), key);
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  /** Whether it may be written; the system lets a read-only device be opened for writing. */
  boolean isWritable() throws IOException {
    return Files.isWritable(path) && (device.isEmpty() || !isReadOnly(device.getAsLong()));
  }

  private static boolean isReadOnly(long device) throws IOException {
    // makedev(3), as the C library packs it.
    long major = ((device >>> 32) & ~0xFFFL) | ((device >>> 8) & 0xFFF);
    long minor = ((device >>> 12) & ~0xFFL) | (device & 0xFF);
    Path flag = Path.of("/sys/dev/block/%d:%d/ro".formatted(major, minor));
    return Files.isReadable(flag) && Files.readString(flag).strip().equals("1");
  }

  private static boolean isBlockDevice(Path path) throws IOException {
    OptionalLong mode = unixNumber(path, "mode");
    return mode.isPresent() && (mode.getAsLong() & S_IFMT) == S_IFBLK;
  }

  /** A field of stat(2), where there is such a thing. */
  private static OptionalLong unixNumber(Path path, String field) throws IOException {
    return path.getFileSystem().supportedFileAttributeViews().contains("unix")
        ? OptionalLong.of(((Number) Files.getAttribute(path, "unix:" + field)).longValue())
        : OptionalLong.empty();
  }
}
