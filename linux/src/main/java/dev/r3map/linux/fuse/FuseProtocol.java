package dev.r3map.linux.fuse;

/**
 * Numbers and layouts of {@code linux/fuse.h}, protocol version 7. An offset is from the start of
 * the struct that the name begins with.
 */
final class FuseProtocol {
  static final int MAJOR = 7;

  /** The newest that this code was written for; the kernel is told the smaller of both. */
  static final int NEWEST_MINOR = 45;

  /** The oldest with an init_out of the size that is answered here, 2013. */
  static final int OLDEST_MINOR = 23;

  /** The mounted file itself. */
  static final long ROOT_ID = 1;

  // Opcodes
  static final int FORGET = 2;
  static final int GETATTR = 3;
  static final int SETATTR = 4;
  static final int OPEN = 14;
  static final int READ = 15;
  static final int WRITE = 16;
  static final int STATFS = 17;
  static final int RELEASE = 18;
  static final int FSYNC = 20;
  static final int FLUSH = 25;
  static final int INIT = 26;
  static final int ACCESS = 34;
  static final int INTERRUPT = 36;
  static final int DESTROY = 38;
  static final int BATCH_FORGET = 42;
  static final int FALLOCATE = 43;

  // struct fuse_in_header
  static final int IN_HEADER_SIZE = 40;
  static final int IN_OPCODE = 4;
  static final int IN_UNIQUE = 8;

  /** A thread id, despite its name. */
  static final int IN_PID = 32;

  // struct fuse_out_header
  static final int OUT_HEADER_SIZE = 16;
  static final int OUT_LENGTH = 0;

  /** The negated errno; of a notification its code. */
  static final int OUT_ERROR = 4;

  static final int OUT_UNIQUE = 8;

  // struct fuse_init_in
  static final int INIT_IN_MAJOR = 0;
  static final int INIT_IN_MINOR = 4;
  static final int INIT_IN_FLAGS = 12;
  static final int INIT_IN_FLAGS2 = 16;

  // struct fuse_init_out
  static final int INIT_OUT_SIZE = 64;
  static final int INIT_OUT_MAJOR = 0;
  static final int INIT_OUT_MINOR = 4;
  static final int INIT_OUT_MAX_READAHEAD = 8;
  static final int INIT_OUT_FLAGS = 12;
  static final int INIT_OUT_MAX_BACKGROUND = 16;
  static final int INIT_OUT_CONGESTION = 18;
  static final int INIT_OUT_MAX_WRITE = 20;
  static final int INIT_OUT_TIME_GRANULARITY = 24;
  static final int INIT_OUT_MAX_PAGES = 28;
  static final int INIT_OUT_FLAGS2 = 32;
  static final int INIT_OUT_MAX_STACK_DEPTH = 36;
  static final int INIT_OUT_REQUEST_TIMEOUT = 40;

  // Flags of INIT, both words as one
  static final long ASYNC_READ = 1L;
  static final long ATOMIC_O_TRUNC = 1L << 3;
  static final long BIG_WRITES = 1L << 5;
  static final long ASYNC_DIO = 1L << 15;
  static final long PARALLEL_DIROPS = 1L << 18;
  static final long ABORT_ERROR = 1L << 21;
  static final long MAX_PAGES = 1L << 22;
  static final long EXPLICIT_INVAL_DATA = 1L << 25;

  /** The second word of flags is looked at. */
  static final long INIT_EXT = 1L << 30;

  static final long PASSTHROUGH = 1L << 37;
  static final long REQUEST_TIMEOUT = 1L << 42;

  // struct fuse_attr, fuse_attr_out
  static final int ATTR_OUT_SIZE = 104;
  static final int ATTR_OUT_VALID = 0;
  static final int ATTR_OUT_ATTR = 16;
  static final int ATTR_INO = 0;
  static final int ATTR_SIZE = 8;
  static final int ATTR_BLOCKS = 16;
  static final int ATTR_ATIME = 24;
  static final int ATTR_MTIME = 32;
  static final int ATTR_CTIME = 40;
  static final int ATTR_ATIME_NANOS = 48;
  static final int ATTR_MTIME_NANOS = 52;
  static final int ATTR_CTIME_NANOS = 56;
  static final int ATTR_MODE = 60;
  static final int ATTR_NLINK = 64;
  static final int ATTR_UID = 68;
  static final int ATTR_GID = 72;
  static final int ATTR_BLKSIZE = 80;

  // struct fuse_setattr_in
  static final int SETATTR_IN_VALID = 0;
  static final int SETATTR_IN_SIZE = 16;
  static final int SETATTR_IN_ATIME = 32;
  static final int SETATTR_IN_MTIME = 40;
  static final int SETATTR_IN_ATIME_NANOS = 56;
  static final int SETATTR_IN_MTIME_NANOS = 60;
  static final int SETATTR_IN_MODE = 68;
  static final int SETATTR_IN_UID = 76;
  static final int SETATTR_IN_GID = 80;
  static final int FATTR_MODE = 1;
  static final int FATTR_UID = 1 << 1;
  static final int FATTR_GID = 1 << 2;
  static final int FATTR_SIZE = 1 << 3;
  static final int FATTR_ATIME = 1 << 4;
  static final int FATTR_MTIME = 1 << 5;
  static final int FATTR_ATIME_NOW = 1 << 7;
  static final int FATTR_MTIME_NOW = 1 << 8;

  // struct fuse_open_in, fuse_open_out
  static final int OPEN_IN_FLAGS = 0;
  static final int OPEN_OUT_SIZE = 16;
  static final int OPEN_OUT_FH = 0;
  static final int OPEN_OUT_FLAGS = 8;
  static final int OPEN_OUT_BACKING_ID = 12;
  static final int FOPEN_DIRECT_IO = 1;
  static final int FOPEN_KEEP_CACHE = 1 << 1;
  static final int FOPEN_NOFLUSH = 1 << 5;
  static final int FOPEN_PARALLEL_DIRECT_WRITES = 1 << 6;
  static final int FOPEN_PASSTHROUGH = 1 << 7;

  // struct fuse_release_in
  static final int RELEASE_IN_FH = 0;

  // struct fuse_read_in, fuse_write_in; the data of a write follows
  static final int IO_IN_SIZE = 40;
  static final int IO_IN_OFFSET = 8;
  static final int IO_IN_LENGTH = 16;
  static final int IO_IN_FLAGS = 20;

  /** Of a WRITE: a page of the kernel's cache that a program stored into. */
  static final int WRITE_CACHE = 1;

  // struct fuse_write_out
  static final int WRITE_OUT_SIZE = 8;
  static final int WRITE_OUT_LENGTH = 0;

  // struct fuse_fallocate_in
  static final int FALLOCATE_IN_OFFSET = 8;
  static final int FALLOCATE_IN_LENGTH = 16;
  static final int FALLOCATE_IN_MODE = 24;

  // struct fuse_interrupt_in
  static final int INTERRUPT_IN_UNIQUE = 0;

  // struct fuse_kstatfs
  static final int STATFS_OUT_SIZE = 80;
  static final int STATFS_BLOCKS = 0;
  static final int STATFS_FILES = 24;
  static final int STATFS_BSIZE = 40;
  static final int STATFS_NAMELEN = 44;
  static final int STATFS_FRSIZE = 48;

  // Notifications
  static final int NOTIFY_INVAL_INODE = 2;
  static final int NOTIFY_STORE = 4;

  // struct fuse_notify_inval_inode_out
  static final int INVAL_INODE_SIZE = 24;
  static final int INVAL_INODE_INO = 0;
  static final int INVAL_INODE_OFFSET = 8;
  static final int INVAL_INODE_LENGTH = 16;

  // struct fuse_notify_store_out; the data follows
  static final int STORE_SIZE = 24;
  static final int STORE_NODEID = 0;
  static final int STORE_OFFSET = 8;
  static final int STORE_LENGTH = 16;

  /** The kernel takes no error beyond this, and keeps a request so answered for ever. */
  static final int LARGEST_ERRNO = 511;

  /** Most bytes of one READ, WRITE or STORE: the default limit of 256 pages of 4 KiB. */
  static final int MAX_TRANSFER = 1 << 20;

  private FuseProtocol() {}

  /** What a request is called in a message. */
  static String name(int opcode) {
    return switch (opcode) {
      case READ -> "read";
      case WRITE -> "write";
      case FSYNC -> "flush";
      case OPEN -> "open";
      default -> "request " + opcode;
    };
  }
}
