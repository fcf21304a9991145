package dev.r3map.nbd.client;

import dev.r3map.nbd.protocol.Transmission;

/** The form of requests and replies, from the oldest to the newest. */
public enum Mode {
  SIMPLE("simple replies", Transmission.REQUEST_HEADER),
  STRUCTURED("structured replies", Transmission.REQUEST_HEADER),
  EXTENDED("extended headers", Transmission.EXTENDED_REQUEST_HEADER);

  private final String words;
  private final int requestHeader;

  Mode(String words, int requestHeader) {
    this.words = words;
    this.requestHeader = requestHeader;
  }

  /** Bytes before the payload of a request. */
  int requestHeader() {
    return requestHeader;
  }

  @Override
  public String toString() {
    return words;
  }
}
