package dev.r3map.cli;

import java.util.LinkedHashMap;
import java.util.Map;

/** What the process ends with, the same for every command. */
public final class ExitCode {
  public static final int OK = 0;
  public static final int FAILED = 1;
  public static final int USAGE = 2;
  public static final int INTERRUPTED = 130;

  private ExitCode() {}

  /** For the help of each command. */
  static Map<String, String> explained() {
    Map<String, String> explained = new LinkedHashMap<>();
    explained.put(" 0", "done; also when Ctrl-C or SIGTERM ended a mount or a server in order");
    explained.put(" 1", "failed; standard error says why");
    explained.put(" 2", "wrong usage");
    explained.put("130", "interrupted before it was done, or forced by a second Ctrl-C");
    return explained;
  }
}
