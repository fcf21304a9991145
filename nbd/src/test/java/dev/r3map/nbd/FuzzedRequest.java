package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Transmission.*;

import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * A request as the specification sees it, told independently of the server.
 *
 * @param batch requests of one batch are sent together, and those of the next one when all of them
 *     are answered; what they read and change does not overlap
 * @param payload bytes that follow, made from the seed
 */
record FuzzedRequest(
    int batch, int type, int flags, long offset, long length, int payload, long seed) {

  /** What the server offers and the client has negotiated. */
  record Terms(
      boolean structured,
      boolean extended,
      boolean allocation,
      long size,
      boolean readOnly,
      int minimum,
      int maximum,
      boolean fastZero) {}

  /** What the payload of any request may have for it to be skipped. */
  private static final long MAX_SKIPPED = 64 << 20;

  boolean has(int flag) {
    return (flags & flag) != 0;
  }

  byte[] bytes() {
    byte[] bytes = new byte[payload];
    new SplittableRandom(seed).nextBytes(bytes);
    if (type == CMD_BLOCK_STATUS && payload >= 12) {
      ByteBuffer.wrap(bytes).putLong(seed & 0xffff).putInt((int) (seed >>> 60) == 0 ? 2 : 1);
    }
    return bytes;
  }

  byte[] encode(long cookie, Terms terms) {
    ByteBuffer out = ByteBuffer.allocate(32 + payload);
    out.putInt(terms.extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC)
        .putShort((short) flags)
        .putShort((short) type)
        .putLong(cookie)
        .putLong(offset);
    if (terms.extended) {
      out.putLong(length);
    } else {
      out.putInt((int) length);
    }
    out.put(bytes());
    byte[] all = new byte[out.position()];
    out.flip().get(all);
    return all;
  }

  /** Bytes that a server expects after the header; unsigned. */
  long announced(Terms terms) {
    boolean follows = terms.extended ? has(CMD_FLAG_PAYLOAD_LEN) : type == CMD_WRITE;
    return follows ? length : 0;
  }

  /** Whether the server has to answer it, and to go on after that. */
  boolean isAnswerable(Terms terms) {
    long announced = announced(terms);
    return type != CMD_DISC
        && announced == payload
        && Long.compareUnsigned(announced, MAX_SKIPPED) <= 0;
  }

  /** How many bytes it is about; unsigned. */
  long effect() {
    boolean told = type == CMD_BLOCK_STATUS && has(CMD_FLAG_PAYLOAD_LEN) && payload >= 12;
    return told ? ByteBuffer.wrap(bytes()).getLong() : length;
  }

  /** The errors that there are reasons for; none if it must be done. */
  Set<Integer> errors(Terms terms) {
    Set<Integer> errors = new HashSet<>();
    if (type > CMD_BLOCK_STATUS || (flags & ~allowed(terms)) != 0) {
      errors.add(EINVAL);
    }
    boolean changes = type == CMD_WRITE || type == CMD_TRIM || type == CMD_WRITE_ZEROES;
    if (changes && terms.readOnly) {
      errors.add(EPERM);
    }
    if (type == CMD_FLUSH) {
      if (offset != 0 || length != 0) {
        errors.add(EINVAL);
      }
      return errors;
    }
    if (type == CMD_WRITE && terms.extended && !has(CMD_FLAG_PAYLOAD_LEN)) {
      errors.add(EINVAL);
    }
    if (type == CMD_BLOCK_STATUS && (!terms.allocation || badFilter())) {
      errors.add(EINVAL);
    }
    if (has(CMD_FLAG_FAST_ZERO) && !terms.fastZero) {
      errors.add(ENOTSUP);
    }
    long effect = effect();
    if (isOutside(effect, terms.size)) {
      errors.add(type == CMD_WRITE || type == CMD_WRITE_ZEROES ? ENOSPC : EINVAL);
    }
    boolean toEnd = offset + effect == terms.size;
    if (effect == 0
        || offset % terms.minimum != 0
        || (effect % terms.minimum != 0 && !toEnd)
        || ((type == CMD_READ || type == CMD_WRITE) && isMore(effect, terms.maximum))) {
      errors.add(EINVAL);
    }
    return errors;
  }

  private boolean badFilter() {
    if (!has(CMD_FLAG_PAYLOAD_LEN)) {
      return false;
    }
    if (payload < 12 || payload % 4 != 0 || payload > 72) {
      return true;
    }
    ByteBuffer ids = ByteBuffer.wrap(bytes()).position(8);
    while (ids.hasRemaining()) {
      if (ids.getInt() != 1) {
        return true;
      }
    }
    return false;
  }

  private boolean isOutside(long effect, long size) {
    return isMore(effect, size) || isMore(offset, size - effect);
  }

  private static boolean isMore(long a, long b) {
    return Long.compareUnsigned(a, b) > 0;
  }

  private int allowed(Terms terms) {
    int payloadLength = terms.extended ? CMD_FLAG_PAYLOAD_LEN : 0;
    return CMD_FLAG_FUA
        | switch (type) {
          case CMD_READ -> terms.structured ? CMD_FLAG_DF : 0;
          case CMD_WRITE -> payloadLength;
          case CMD_WRITE_ZEROES -> CMD_FLAG_NO_HOLE | CMD_FLAG_FAST_ZERO;
          case CMD_BLOCK_STATUS -> CMD_FLAG_REQ_ONE | payloadLength;
          default -> 0;
        };
  }
}
