package dev.r3map.nbd.server;

import java.util.List;

/** The one metadata context there is: what is data, and what are holes. */
final class MetaContexts {
  static final String ALLOCATION = "base:allocation";

  /** Any number does; clients learn it in the handshake. */
  static final int ALLOCATION_ID = 1;

  private static final String NAMESPACE = "base:";

  private MetaContexts() {}

  /** Whether one of these queries chooses it; unknown ones choose nothing. */
  static boolean chooses(List<String> queries) {
    return queries.contains(ALLOCATION);
  }

  /** Whether it belongs to the answer to these queries: none asks for all. */
  static boolean lists(List<String> queries) {
    return queries.isEmpty() || queries.contains(NAMESPACE) || chooses(queries);
  }
}
