package dev.r3map.nbd.client;

import java.nio.charset.StandardCharsets;

/** What a server says, made fit for messages. */
final class Texts {
  /** Enough to understand it, too little to drown a log. */
  private static final int LONGEST = 300;

  private Texts() {}

  static String clean(byte[] utf8) {
    return clean(new String(utf8, StandardCharsets.UTF_8));
  }

  static String clean(String text) {
    String shown = text.length() > LONGEST ? text.substring(0, LONGEST) + "..." : text;
    return shown.replaceAll("\\p{Cntrl}+", " ").strip();
  }
}
