package dev.r3map.store;

import dev.r3map.backend.PermanentIOException;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/**
 * The bytes of a journal, big endian.
 *
 * <pre>
 * header   magic "R3MAPJNL"  version u32  length of the rest u32
 *          size u64  chunk size u32  boot id (u16 + UTF-8)  identity (u16 + UTF-8)  CRC32C u32
 * record   type u32  first block u64  block count u64  CRC32C u32   (24 bytes)
 * </pre>
 *
 * A record's checksum also covers its number, so that bytes left over from something else are not
 * taken for a record. The first record that does not check ends the journal: a crash tore it, or it
 * is room that was reserved, which is zeros.
 */
final class JournalFormat {
  static final int RECORD = 24;
  private static final long MAGIC = 0x52334d41504a4e4cL; // "R3MAPJNL"
  private static final int VERSION = 1;
  private static final int MAX_HEADER = 1 << 17;

  private JournalFormat() {}

  /** What a record says of its blocks. The numbers are on disk: never change them. */
  enum Type {
    /** Came from the remote and are stored. */
    PRESENT(1),
    /** Came from the remote and are zeros, stored or not. */
    ZERO(2),
    /** Present, and the remote does not have them yet. */
    DIRTY(3),
    /** The remote has them, durably. */
    CLEAN(4),
    /** Everything up to record number {@code first} is on the disk, with the data it speaks of. */
    COMMIT(5),
    /** Closed in order: nothing was written after the last commit. */
    CLOSED(6);

    final int code;

    Type(int code) {
      this.code = code;
    }
  }

  /** What the journal was made for. */
  record Header(long size, int chunkSize, String bootId, String identity) {

    byte[] encode() throws IOException {
      byte[] boot = bootId.getBytes(StandardCharsets.UTF_8);
      byte[] id = identity.getBytes(StandardCharsets.UTF_8);
      int rest = 8 + 4 + 2 + boot.length + 2 + id.length + 4;
      if (rest > MAX_HEADER || boot.length > 0xffff || id.length > 0xffff) {
        throw new PermanentIOException(
            "the journal of a cache has no room for an identity of %d bytes".formatted(id.length));
      }
      ByteBuffer out = ByteBuffer.allocate(16 + rest);
      out.putLong(MAGIC).putInt(VERSION).putInt(rest).putLong(size).putInt(chunkSize);
      out.putShort((short) boot.length).put(boot).putShort((short) id.length).put(id);
      out.putInt(crc(out.duplicate().flip()));
      return out.array();
    }

    /** Reads a header from the file's position, which is behind it afterwards. */
    static Header read(RandomAccessFile file, String name) throws IOException {
      try {
        byte[] start = new byte[16];
        file.readFully(start);
        ByteBuffer fixed = ByteBuffer.wrap(start);
        if (fixed.getLong() != MAGIC) {
          throw damaged(name, "it is not a journal");
        }
        int version = fixed.getInt();
        if (version != VERSION) {
          throw damaged(name, "its version is " + version + ", this program knows " + VERSION);
        }
        int rest = fixed.getInt();
        if (rest < 20 || rest > MAX_HEADER) {
          throw damaged(name, "its header is broken");
        }
        byte[] all = new byte[16 + rest];
        System.arraycopy(start, 0, all, 0, 16);
        file.readFully(all, 16, rest);
        ByteBuffer in = ByteBuffer.wrap(all).position(16);
        if (in.getInt(all.length - 4) != crc(ByteBuffer.wrap(all, 0, all.length - 4))) {
          throw damaged(name, "its header is broken");
        }
        return new Header(in.getLong(), in.getInt(), string(in), string(in));
      } catch (EOFException e) {
        throw damaged(name, "it is cut short");
      }
    }

    private static String string(ByteBuffer in) {
      byte[] bytes = new byte[Short.toUnsignedInt(in.getShort())];
      in.get(bytes);
      return new String(bytes, StandardCharsets.UTF_8);
    }

    private static IOException damaged(String name, String why) {
      return new PermanentIOException(
          "cannot use the cache's journal %s: %s. Remove the cache and its journal to start afresh"
              .formatted(name, why));
    }
  }

  /** Puts record {@code number} at {@code out}'s position. */
  static void encodeRecord(ByteBuffer out, long number, Type type, long first, long count) {
    int at = out.position();
    out.putInt(type.code).putLong(first).putLong(count);
    out.putInt(crc(out.slice(at, 20)) ^ Long.hashCode(number));
  }

  /** The record's type, or 0 if the bytes are not record {@code number}. */
  static int decodeType(ByteBuffer in, int at, long number) {
    boolean sound = in.getInt(at + 20) == (crc(in.slice(at, 20)) ^ Long.hashCode(number));
    return sound ? in.getInt(at) : 0;
  }

  private static int crc(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes);
    return (int) crc.getValue();
  }
}
