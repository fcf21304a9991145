package dev.r3map.nbd.protocol;

/**
 * What travels after the handshake: requests and replies.
 *
 * <p>Source: the NBD specification, {@code doc/proto.md} of NetworkBlockDevice/nbd, "Values",
 * "Transmission phase"; the extended headers are those of its branch {@code extension-ext-header}.
 * All integers are unsigned and big-endian.
 */
public final class Transmission {
  /** Magic, flags, type, cookie, offset, length. */
  public static final int REQUEST_MAGIC = 0x25609513;

  public static final int REQUEST_HEADER = 28;

  /** The same with a length of 64 bits. */
  public static final int EXTENDED_REQUEST_MAGIC = 0x21e41c71;

  public static final int EXTENDED_REQUEST_HEADER = 32;

  /** Magic, error, cookie. */
  public static final int SIMPLE_REPLY_MAGIC = 0x67446698;

  public static final int SIMPLE_REPLY_HEADER = 16;

  /** Magic, flags, type, cookie, length. */
  public static final int STRUCTURED_REPLY_MAGIC = 0x668e33ef;

  public static final int STRUCTURED_REPLY_HEADER = 20;

  /** Magic, flags, type, cookie, offset, length. */
  public static final int EXTENDED_REPLY_MAGIC = 0x6e8a278c;

  public static final int EXTENDED_REPLY_HEADER = 32;

  public static final int FLAG_HAS_FLAGS = 1;
  public static final int FLAG_READ_ONLY = 1 << 1;
  public static final int FLAG_SEND_FLUSH = 1 << 2;
  public static final int FLAG_SEND_FUA = 1 << 3;
  public static final int FLAG_ROTATIONAL = 1 << 4;
  public static final int FLAG_SEND_TRIM = 1 << 5;
  public static final int FLAG_SEND_WRITE_ZEROES = 1 << 6;
  public static final int FLAG_SEND_DF = 1 << 7;
  public static final int FLAG_CAN_MULTI_CONN = 1 << 8;
  public static final int FLAG_SEND_CACHE = 1 << 10;
  public static final int FLAG_SEND_FAST_ZERO = 1 << 11;
  public static final int FLAG_BLOCK_STATUS_PAYLOAD = 1 << 12;

  public static final int CMD_READ = 0;
  public static final int CMD_WRITE = 1;
  public static final int CMD_DISC = 2;
  public static final int CMD_FLUSH = 3;
  public static final int CMD_TRIM = 4;
  public static final int CMD_CACHE = 5;
  public static final int CMD_WRITE_ZEROES = 6;
  public static final int CMD_BLOCK_STATUS = 7;

  public static final int CMD_FLAG_FUA = 1;
  public static final int CMD_FLAG_NO_HOLE = 1 << 1;
  public static final int CMD_FLAG_DF = 1 << 2;
  public static final int CMD_FLAG_REQ_ONE = 1 << 3;
  public static final int CMD_FLAG_FAST_ZERO = 1 << 4;
  public static final int CMD_FLAG_PAYLOAD_LEN = 1 << 5;

  public static final int REPLY_FLAG_DONE = 1;

  public static final int REPLY_NONE = 0;
  public static final int REPLY_OFFSET_DATA = 1;
  public static final int REPLY_OFFSET_HOLE = 2;
  public static final int REPLY_BLOCK_STATUS = 5;
  public static final int REPLY_BLOCK_STATUS_EXT = 6;
  public static final int REPLY_ERROR = (1 << 15) + 1;
  public static final int REPLY_ERROR_OFFSET = (1 << 15) + 2;

  /** Bits of {@code base:allocation}. */
  public static final int STATE_HOLE = 1;

  public static final int STATE_ZERO = 1 << 1;

  /** Bit of {@code qemu:dirty-bitmap:*}. */
  public static final int STATE_DIRTY = 1;

  /** Values of {@code qemu:allocation-depth}: in the image itself, and in what is behind it. */
  public static final int DEPTH_LOCAL = 1;

  public static final int DEPTH_BACKING = 2;

  /** "Error values". */
  public static final int EPERM = 1;

  public static final int EIO = 5;
  public static final int ENOMEM = 12;
  public static final int EINVAL = 22;
  public static final int ENOSPC = 28;
  public static final int EOVERFLOW = 75;
  public static final int ENOTSUP = 95;
  public static final int ESHUTDOWN = 108;

  private Transmission() {}
}
