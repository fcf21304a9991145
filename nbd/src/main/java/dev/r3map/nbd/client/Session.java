package dev.r3map.nbd.client;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Connections to one life of a server. The first, the anchor, was there before the others: as long
 * as it answers, no other life of the server can have begun, so what any connection was told to
 * have been written before is covered by a flush over the anchor. Its loss ends the session.
 */
final class Session {
  private final long number;
  private final Link anchor;
  private final CopyOnWriteArrayList<Link> links = new CopyOnWriteArrayList<>();

  private final AtomicBoolean widening = new AtomicBoolean();

  Session(long number, Link anchor) {
    this.number = number;
    this.anchor = anchor;
    links.add(anchor);
  }

  /** Different for every session of a resource. */
  long number() {
    return number;
  }

  Link anchor() {
    return anchor;
  }

  Terms terms() {
    return anchor.terms();
  }

  boolean isAlive() {
    return anchor.isAlive();
  }

  /** How many connections work. */
  int width() {
    return (int) links.stream().filter(Link::isAlive).count();
  }

  /** True once, for who makes the other connections. */
  boolean beginsToWiden() {
    return !widening.get() && widening.compareAndSet(false, true);
  }

  void add(Link link) {
    links.add(link);
  }

  /** The connection with the least to do. */
  Link idlest() {
    Link best = anchor;
    int least = anchor.load();
    for (int i = 0; least > 0 && i < links.size(); i++) {
      Link link = links.get(i);
      int load = link.load();
      if (load < least && link.isAlive()) {
        best = link;
        least = load;
      }
    }
    return best;
  }

  /** Every connection, also of those that are lost. */
  List<Link> links() {
    return links;
  }
}
