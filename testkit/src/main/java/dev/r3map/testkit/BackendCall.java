package dev.r3map.testkit;

import java.util.EnumSet;
import java.util.Set;
import java.util.function.Predicate;

/**
 * A call of a backend, as fault injectors and counters see it.
 *
 * @param offset in bytes; 0 where the call has none
 * @param length in bytes; 0 where the call has none
 */
public record BackendCall(Kind kind, long offset, long length) {
  /** The methods of a backend that do I/O. */
  public enum Kind {
    READ,
    WRITE,
    SYNC,
    DISCARD,
    ZERO,
    EXTENTS,
    IDENTITY,
    CLOSE
  }

  /** Calls of these kinds. */
  public static Predicate<BackendCall> of(Kind first, Kind... more) {
    Set<Kind> kinds = EnumSet.of(first, more);
    return call -> kinds.contains(call.kind);
  }

  /** Every call except CLOSE. */
  public static Predicate<BackendCall> any() {
    return call -> call.kind != Kind.CLOSE;
  }

  /** Calls whose range holds the byte at {@code offset}. */
  public static Predicate<BackendCall> touching(long offset) {
    return call -> call.touches(offset);
  }

  /** Whether the range of this call holds the byte at {@code at}. */
  public boolean touches(long at) {
    return offset <= at && at - offset < length;
  }
}
