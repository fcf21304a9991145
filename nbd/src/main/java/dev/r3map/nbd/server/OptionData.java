package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Handshake.MAX_STRING;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_INVALID;
import static dev.r3map.nbd.protocol.Handshake.REP_ERR_TOO_BIG;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** The data of an option, read piece by piece; whatever does not fit is refused. */
final class OptionData {
  private final ByteBuffer data;

  OptionData(ByteBuffer data) {
    this.data = data;
  }

  int unsignedShort() throws Refused {
    require(Short.BYTES);
    return Short.toUnsignedInt(data.getShort());
  }

  long unsignedInt() throws Refused {
    require(Integer.BYTES);
    return Integer.toUnsignedLong(data.getInt());
  }

  /** A length and so many bytes of UTF-8. */
  String string() throws Refused {
    return string(unsignedInt());
  }

  /** All that is left is a string. */
  String rest() throws Refused {
    return string(data.remaining());
  }

  /** Nothing may be left. */
  void end() throws Refused {
    if (data.hasRemaining()) {
      throw new Refused(REP_ERR_INVALID, data.remaining() + " bytes too many in the option");
    }
  }

  private String string(long length) throws Refused {
    require(length);
    if (length > MAX_STRING) {
      throw new Refused(REP_ERR_TOO_BIG, "a string of more than " + MAX_STRING + " bytes");
    }
    ByteBuffer bytes = data.slice(data.position(), (int) length);
    data.position(data.position() + (int) length);
    String decoded;
    try {
      decoded = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      throw new Refused(REP_ERR_INVALID, "a string that is not UTF-8");
    }
    if (decoded.indexOf('\0') >= 0) {
      throw new Refused(REP_ERR_INVALID, "a string with a NUL");
    }
    return decoded;
  }

  private void require(long bytes) throws Refused {
    if (data.remaining() < bytes) {
      throw new Refused(REP_ERR_INVALID, "the option is too short for what it should hold");
    }
  }
}
