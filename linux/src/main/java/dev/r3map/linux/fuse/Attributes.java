package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.StatCalls;
import java.time.Duration;
import java.time.Instant;

/**
 * What stat(2) says of the file. The size never changes; mode, owner and times can be set and last
 * as long as the mount. Thread-safe.
 */
final class Attributes {
  private static final int PERMISSIONS = 07777;
  private static final int WRITE_PERMISSIONS = 0222;
  private static final long SECTOR = 512;
  private static final int BLOCK = 4096;
  private static final long SECOND = Duration.ofSeconds(1).toNanos();
  private static final long MILLISECOND = Duration.ofMillis(1).toNanos();

  /** Nothing changes. */
  private static final long READ_ONLY_VALID_SECONDS = 3600;

  /** The time of modification does, through other doors, and the kernel is not told of it. */
  private static final long VALID_SECONDS = 1;

  private final long size;
  private final long validSeconds;

  // Times are in nanoseconds since 1970, until the year 2262.
  private volatile long accessed;
  private volatile long modified;
  private volatile long changed;
  private volatile int mode;
  private volatile int uid;
  private volatile int gid;

  Attributes(long size, StatCalls.Status like, boolean readOnly) {
    this.size = size;
    validSeconds = readOnly ? READ_ONLY_VALID_SECONDS : VALID_SECONDS;
    int permissions = like.mode() & PERMISSIONS;
    mode = StatCalls.S_IFREG | (readOnly ? permissions & ~WRITE_PERMISSIONS : permissions);
    uid = like.uid();
    gid = like.gid();
    Instant now = Instant.now();
    accessed = nanos(now.getEpochSecond(), now.getNano());
    modified = accessed;
    changed = accessed;
  }

  long size() {
    return size;
  }

  /** Bytes were written. */
  void touch() {
    long now = System.currentTimeMillis() * MILLISECOND;
    modified = now;
    changed = now;
  }

  /** Takes over what a SETATTR sets beside the size. */
  synchronized void set(Request request) {
    int valid = request.intArgument(FuseProtocol.SETATTR_IN_VALID);
    if ((valid & FuseProtocol.FATTR_MODE) != 0) {
      int permissions = request.intArgument(FuseProtocol.SETATTR_IN_MODE) & PERMISSIONS;
      mode = StatCalls.S_IFREG | permissions;
    }
    if ((valid & FuseProtocol.FATTR_UID) != 0) {
      uid = request.intArgument(FuseProtocol.SETATTR_IN_UID);
    }
    if ((valid & FuseProtocol.FATTR_GID) != 0) {
      gid = request.intArgument(FuseProtocol.SETATTR_IN_GID);
    }
    changed = System.currentTimeMillis() * MILLISECOND;
    if ((valid & FuseProtocol.FATTR_ATIME_NOW) != 0) {
      accessed = changed;
    } else if ((valid & FuseProtocol.FATTR_ATIME) != 0) {
      accessed =
          nanos(
              request.longArgument(FuseProtocol.SETATTR_IN_ATIME),
              request.intArgument(FuseProtocol.SETATTR_IN_ATIME_NANOS));
    }
    if ((valid & FuseProtocol.FATTR_MTIME_NOW) != 0) {
      modified = changed;
    } else if ((valid & FuseProtocol.FATTR_MTIME) != 0) {
      modified =
          nanos(
              request.longArgument(FuseProtocol.SETATTR_IN_MTIME),
              request.intArgument(FuseProtocol.SETATTR_IN_MTIME_NANOS));
    }
  }

  /** Puts a {@code struct fuse_attr_out} and returns its length. */
  int put(Request reply) {
    reply.clearBody(FuseProtocol.ATTR_OUT_SIZE);
    reply.put(FuseProtocol.ATTR_OUT_VALID, validSeconds);
    int attr = FuseProtocol.ATTR_OUT_ATTR;
    reply.put(attr + FuseProtocol.ATTR_INO, FuseProtocol.ROOT_ID);
    reply.put(attr + FuseProtocol.ATTR_SIZE, size);
    reply.put(attr + FuseProtocol.ATTR_BLOCKS, Math.ceilDiv(size, SECTOR));
    putTime(reply, attr + FuseProtocol.ATTR_ATIME, attr + FuseProtocol.ATTR_ATIME_NANOS, accessed);
    putTime(reply, attr + FuseProtocol.ATTR_MTIME, attr + FuseProtocol.ATTR_MTIME_NANOS, modified);
    putTime(reply, attr + FuseProtocol.ATTR_CTIME, attr + FuseProtocol.ATTR_CTIME_NANOS, changed);
    reply.put(attr + FuseProtocol.ATTR_MODE, mode);
    reply.put(attr + FuseProtocol.ATTR_NLINK, 1);
    reply.put(attr + FuseProtocol.ATTR_UID, uid);
    reply.put(attr + FuseProtocol.ATTR_GID, gid);
    reply.put(attr + FuseProtocol.ATTR_BLKSIZE, BLOCK);
    return FuseProtocol.ATTR_OUT_SIZE;
  }

  private static void putTime(Request reply, int seconds, int nanos, long time) {
    reply.put(seconds, Math.floorDiv(time, SECOND));
    reply.put(nanos, (int) Math.floorMod(time, SECOND));
  }

  private static long nanos(long seconds, int nanos) {
    long most = Long.MAX_VALUE / SECOND - 1;
    return Math.clamp(seconds, -most, most) * SECOND + nanos;
  }
}
