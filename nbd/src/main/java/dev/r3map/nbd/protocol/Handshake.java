package dev.r3map.nbd.protocol;

/**
 * What travels before the first request: fixed newstyle negotiation.
 *
 * <p>Source: the NBD specification, {@code doc/proto.md} of NetworkBlockDevice/nbd, "Values",
 * "Handshake phase"; the extended headers are those of its branch {@code extension-ext-header}. All
 * integers are unsigned and big-endian.
 */
public final class Handshake {
  /** "NBDMAGIC". */
  public static final long MAGIC = 0x4e42444d41474943L;

  /** "IHAVEOPT": the second word of a newstyle server, and the first of every option. */
  public static final long OPTION_MAGIC = 0x49484156454f5054L;

  /** The second word of a server from before 2010. */
  public static final long OLDSTYLE_MAGIC = 0x00420281861253L;

  public static final long REPLY_MAGIC = 0x3e889045565a9L;

  public static final int FLAG_FIXED_NEWSTYLE = 1;
  public static final int FLAG_NO_ZEROES = 1 << 1;

  /** Bytes that follow the answer to {@link #OPT_EXPORT_NAME}, unless both sides know better. */
  public static final int ZEROES = 124;

  /** Magic, option, length. */
  public static final int OPTION_HEADER = 16;

  /** Magic, option, type, length. */
  public static final int REPLY_HEADER = 20;

  /** Bytes; "Strings": the longest that a side must take. */
  public static final int MAX_STRING = 4096;

  public static final int OPT_EXPORT_NAME = 1;
  public static final int OPT_ABORT = 2;
  public static final int OPT_LIST = 3;
  public static final int OPT_STARTTLS = 5;
  public static final int OPT_INFO = 6;
  public static final int OPT_GO = 7;
  public static final int OPT_STRUCTURED_REPLY = 8;
  public static final int OPT_LIST_META_CONTEXT = 9;
  public static final int OPT_SET_META_CONTEXT = 10;
  public static final int OPT_EXTENDED_HEADERS = 11;

  public static final int REP_ACK = 1;
  public static final int REP_SERVER = 2;
  public static final int REP_INFO = 3;
  public static final int REP_META_CONTEXT = 4;

  /** Set in the type of every reply that refuses. */
  public static final int REP_ERROR = 1 << 31;

  public static final int REP_ERR_UNSUP = REP_ERROR | 1;
  public static final int REP_ERR_POLICY = REP_ERROR | 2;
  public static final int REP_ERR_INVALID = REP_ERROR | 3;
  public static final int REP_ERR_PLATFORM = REP_ERROR | 4;
  public static final int REP_ERR_TLS_REQD = REP_ERROR | 5;
  public static final int REP_ERR_UNKNOWN = REP_ERROR | 6;
  public static final int REP_ERR_SHUTDOWN = REP_ERROR | 7;
  public static final int REP_ERR_BLOCK_SIZE_REQD = REP_ERROR | 8;
  public static final int REP_ERR_TOO_BIG = REP_ERROR | 9;
  public static final int REP_ERR_EXT_HEADER_REQD = REP_ERROR | 10;

  public static final int INFO_EXPORT = 0;
  public static final int INFO_NAME = 1;
  public static final int INFO_DESCRIPTION = 2;
  public static final int INFO_BLOCK_SIZE = 3;

  private Handshake() {}
}
