package dev.r3map.it.nbd.suite;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The language of nbdkit's data plugin, as far as it is used: bytes, {@code "strings"}, {@code
 * @offset}, and {@code ( ... )*N}.
 *
 * @param pieces bytes by their offset
 * @param size where the last piece ends
 */
record DataScript(Map<Long, byte[]> pieces, long size) {
  private static final Pattern TOKEN =
      Pattern.compile(
          "\\s*(?:\"(?<text>[^\"\\\\]*)\"|@(?<at>\\d+)|(?<byte>0[xX]\\p{XDigit}+|\\d+)"
              + "|\\((?<group>[^()]*)\\)\\s*\\*\\s*(?<times>\\d+))\\s*");

  static DataScript parse(String script) {
    Map<Long, byte[]> pieces = new TreeMap<>();
    long at = 0;
    long size = 0;
    Matcher token = TOKEN.matcher(script);
    for (int from = 0; from < script.length(); from = token.end()) {
      if (!token.region(from, script.length()).lookingAt()) {
        if (script.substring(from).isBlank()) {
          break;
        }
        throw new IllegalArgumentException("data " + script.substring(from));
      }
      if (token.group("at") != null) {
        at = Long.parseLong(token.group("at"));
      } else {
        byte[] bytes = bytes(token);
        pieces.put(at, bytes);
        at += bytes.length;
      }
      size = Math.max(size, at);
    }
    return new DataScript(pieces, size);
  }

  private static byte[] bytes(Matcher token) {
    if (token.group("text") != null) {
      return token.group("text").getBytes(StandardCharsets.UTF_8);
    }
    if (token.group("byte") != null) {
      return new byte[] {(byte) (int) Integer.decode(token.group("byte"))};
    }
    ByteArrayOutputStream repeated = new ByteArrayOutputStream();
    Map<Long, byte[]> once = parse(token.group("group")).pieces();
    for (int i = 0; i < Integer.parseInt(token.group("times")); i++) {
      once.values().forEach(repeated::writeBytes);
    }
    return repeated.toByteArray();
  }
}
