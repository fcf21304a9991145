package dev.r3map.linux.ffi;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;

/**
 * Links C functions so that {@code errno} is captured, and calls them: a failed call's result is
 * its negated {@code errno}.
 */
@SuppressWarnings("restricted")
public final class Native {
  /** What a call leaves {@code errno} in. */
  public static final StructLayout ERRNO = Linker.Option.captureStateLayout();

  private static final VarHandle ERRNO_VALUE =
      ERRNO.varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final Linker LINKER = Linker.nativeLinker();

  /** In bytes; getpagesize(2). */
  public static final int PAGE_SIZE = (int) pageSize();

  private Native() {}

  /** A system call through one of our handles. */
  @FunctionalInterface
  interface Call {
    /**
     * Makes the call.
     *
     * @param errno the handle's first argument
     * @param arena lives as long as the call
     */
    long invoke(MemorySegment errno, Arena arena) throws Throwable;
  }

  /** Links what a mount calls now, and not when it is first called. */
  public static void linkAll() {
    List<Class<?>> users =
        List.of(
            MemoryCalls.class,
            FileCalls.class,
            StatCalls.class,
            UserCalls.class,
            MountCalls.class,
            FuseCalls.class);
    try {
      for (Class<?> user : users) {
        MethodHandles.lookup().ensureInitialized(user);
      }
    } catch (IllegalAccessException e) {
      throw new AssertionError("of this package", e);
    }
  }

  /** A handle whose first parameter is where {@code errno} goes. */
  static MethodHandle link(String function, FunctionDescriptor signature, Linker.Option... more) {
    List<Linker.Option> options = new ArrayList<>(List.of(more));
    options.add(Linker.Option.captureCallState("errno"));
    return LINKER.downcallHandle(
        symbol(function), signature, options.toArray(Linker.Option[]::new));
  }

  /** A handle of a C function whose errors, if it has any, are in its result. */
  static MethodHandle linkPlain(String function, FunctionDescriptor signature) {
    return LINKER.downcallHandle(symbol(function), signature);
  }

  /** A call's result, or the negated {@code errno} if it failed. */
  static long result(long result, MemorySegment errno) {
    return result >= 0 ? result : -(int) ERRNO_VALUE.get(errno, 0L);
  }

  /** Calls once, for callers that are not in a hurry. */
  static long call(Call call) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = arena.allocate(ERRNO);
      return result(call.invoke(errno, arena), errno);
    } catch (Throwable t) {
      throw unexpected(t);
    }
  }

  /** Calls until no signal comes between. */
  static long retry(Call call) {
    long result;
    do {
      result = call(call);
    } while (result == -Errno.EINTR);
    return result;
  }

  /**
   * A call's result, unless it failed.
   *
   * @param action what was tried, on what
   */
  static long orThrow(long result, String action) throws ErrnoException {
    if (result < 0) {
      throw new ErrnoException(action, (int) -result);
    }
    return result;
  }

  /** What a handle threw that declares nothing. */
  static RuntimeException unexpected(Throwable thrown) {
    if (thrown instanceof Error error) {
      throw error;
    }
    return thrown instanceof RuntimeException runtime ? runtime : new IllegalStateException(thrown);
  }

  private static MemorySegment symbol(String function) {
    return LINKER
        .defaultLookup()
        .find(function)
        .orElseThrow(
            () -> new UnsupportedOperationException("no " + function + " in the C library"));
  }

  private static long pageSize() {
    MethodHandle getpagesize = linkPlain("getpagesize", FunctionDescriptor.of(JAVA_INT));
    return call((errno, arena) -> (int) getpagesize.invokeExact());
  }
}
