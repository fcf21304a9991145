package dev.r3map.nbd.server;

/** An option that is answered by an error; the handshake goes on. */
final class Refused extends Exception {
  private static final long serialVersionUID = 1;

  private final int reply;

  /**
   * @param reply one of {@code Handshake.REP_ERR_*}
   */
  Refused(int reply, String message) {
    super(message, null, false, false);
    this.reply = reply;
  }

  int reply() {
    return reply;
  }
}
