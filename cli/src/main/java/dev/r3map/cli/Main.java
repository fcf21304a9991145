package dev.r3map.cli;

/** What the shell starts. */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    System.exit(CommandLines.execute(args));
  }
}
