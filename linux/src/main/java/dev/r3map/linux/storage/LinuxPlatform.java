package dev.r3map.linux.storage;

import dev.r3map.backend.Extent;
import dev.r3map.backend.Ranges;
import dev.r3map.linux.ffi.ErrnoException;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.MemoryCalls;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.Platform;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * Memory files, sparse files and holes as Linux has them. Needs native access for its module; where
 * it is denied or this is not Linux, it cannot be made and the portable platform takes its place.
 */
public final class LinuxPlatform implements Platform {
  /** A cache holds somebody's data: for its owner only. */
  private static final int OWNER_ONLY = 0600;

  /** For {@link java.util.ServiceLoader}. */
  public LinuxPlatform() {
    if (!System.getProperty("os.name").equals("Linux")) {
      throw new UnsupportedOperationException("not Linux: " + System.getProperty("os.name"));
    }
    // Fails here and now where native access is denied, and not with the first mount.
    MemoryCalls.ensureLinked();
  }

  @Override
  public LocalStorage memory(long size) throws IOException {
    return LinuxStorage.over(MemoryCalls.memfdCreate("r3map"), size, "memory", false);
  }

  @Override
  public LocalStorage file(Path path, long size) throws IOException {
    int fd = FileCalls.open(path, FileCalls.O_RDWR | FileCalls.O_CREAT, OWNER_ONLY);
    return LinuxStorage.over(fd, size, path.toString(), true);
  }

  @Override
  public List<Extent> extents(Path file, long offset, long length) throws IOException {
    Ranges.check(offset, length, size(file));
    if (length == 0) {
      return List.of();
    }
    int fd = FileCalls.open(file, FileCalls.O_RDONLY, 0);
    try {
      return Holes.extents(fd, offset, length);
    } finally {
      FileCalls.close(fd);
    }
  }

  @Override
  public boolean punch(Path file, long offset, long length) throws IOException {
    long size = size(file);
    Ranges.check(offset, length, size);
    int fd = FileCalls.open(file, FileCalls.O_RDWR, 0);
    try {
      return Holes.punch(fd, offset, length, size);
    } catch (ErrnoException e) {
      throw new IOException("cannot free a range of " + file, e);
    } finally {
      FileCalls.close(fd);
    }
  }

  /** Also of a block device, which has no size of its own to stat(2). */
  private static long size(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return channel.size();
    }
  }
}
