package dev.r3map.nbd.server;

import java.util.List;

/**
 * What a client may ask about each byte of an export. The bits that answer it are those of {@code
 * Transmission.STATE_*}.
 *
 * <p>Source: the NBD specification, "Metadata querying"; those of qemu, {@code
 * docs/interop/nbd.rst} of it.
 */
enum MetaContext {
  /** What is data, and what are holes. */
  ALLOCATION(1, "base:allocation"),

  /** What was written to a managed region and is not on its way to the remote yet. */
  DIRTY(2, "qemu:dirty-bitmap:dirty"),

  /** Whether bytes of a managed region are local, or farther away. */
  DEPTH(3, "qemu:allocation-depth");

  private final int id;
  private final String title;

  MetaContext(int id, String title) {
    this.id = id;
    this.title = title;
  }

  String title() {
    return title;
  }

  /** Clients learn it in the handshake. */
  int id() {
    return id;
  }

  /** Those of some contexts that one of these queries names; unknown ones name nothing. */
  static List<MetaContext> named(List<MetaContext> all, List<String> queries) {
    return all.stream().filter(context -> queries.contains(context.title)).toList();
  }

  /** The same, where a query may be the beginning of names up to a colon, and none asks for all. */
  static List<MetaContext> matching(List<MetaContext> all, List<String> queries) {
    return all.stream()
        .filter(context -> queries.isEmpty() || queries.stream().anyMatch(context::isMatchedBy))
        .toList();
  }

  private boolean isMatchedBy(String query) {
    return title.equals(query) || (query.endsWith(":") && title.startsWith(query));
  }
}
