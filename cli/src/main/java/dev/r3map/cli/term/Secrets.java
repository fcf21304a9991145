package dev.r3map.cli.term;

import java.util.regex.Pattern;

/** Keeps credentials that a user wrote into a URI out of what is shown. */
public final class Secrets {
  private static final Pattern USER_INFO = Pattern.compile("://[^/?#@\\s]*@");

  private Secrets() {}

  /** {@code text} with the user info of each URI in it replaced. */
  public static String mask(String text) {
    return text.indexOf('@') < 0 ? text : USER_INFO.matcher(text).replaceAll("://***@");
  }
}
