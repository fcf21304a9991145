package dev.r3map.linux.storage;

import dev.r3map.backend.Extent;
import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.Native;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Finds and makes the holes of an open file; lseek(2), fallocate(2). */
final class Holes {
  /** More than this are not listed at once: the caller asks again, and may not need them all. */
  private static final int MOST_EXTENTS = 1024;

  private Holes() {}

  /** The extents of a range that is not empty and lies within the file. */
  static List<Extent> extents(int fd, long offset, long length) {
    List<Extent> extents = new ArrayList<>();
    long end = offset + length;
    for (long at = offset; at < end && extents.size() < MOST_EXTENTS; ) {
      long data = FileCalls.seek(fd, at, FileCalls.SEEK_DATA);
      if (data == -Errno.ENXIO || data >= end) {
        extents.add(Extent.hole(at, end - at));
        break;
      }
      if (data < 0) {
        // This file system cannot tell.
        extents.add(Extent.data(at, end - at));
        break;
      }
      if (data > at) {
        extents.add(Extent.hole(at, data - at));
        at = data;
      }
      long hole = FileCalls.seek(fd, at, FileCalls.SEEK_HOLE);
      // A hole at once, or none: somebody changes the file meanwhile. Data is the safe answer.
      long dataEnd = hole > at && hole < end ? hole : end;
      extents.add(Extent.data(at, dataEnd - at));
      at = dataEnd;
    }
    return extents;
  }

  /**
   * Frees the space of a range.
   *
   * @return false if the file system cannot do that
   */
  static boolean punch(int fd, long offset, long length, long size) throws IOException {
    if (length == 0) {
      return true;
    }
    long end = offset + length;
    if (end == size) {
      // The last block goes only if all of it is punched, and it ends after the file does.
      end = Math.ceilDiv(size, Native.PAGE_SIZE) * Native.PAGE_SIZE;
    }
    return FileCalls.punch(fd, offset, end - offset);
  }
}
