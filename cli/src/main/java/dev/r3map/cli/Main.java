package dev.r3map.cli;

/** What the shell starts. */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    if (args.length > 0 && args[0].equals("mount")) {
      Warmup.start();
    }
    System.exit(CommandLines.execute(args));
  }
}
