package dev.r3map.linux.ffi;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/** Who this process is: geteuid(2), getegid(2). */
public final class UserCalls {
  private static final int ROOT = 0;

  private static final MethodHandle GETEUID =
      Native.linkPlain("geteuid", FunctionDescriptor.of(JAVA_INT));
  private static final MethodHandle GETEGID =
      Native.linkPlain("getegid", FunctionDescriptor.of(JAVA_INT));

  private UserCalls() {}

  /** Whether this process is root's, with all its rights or not. */
  public static boolean isRoot() {
    return userId() == ROOT;
  }

  /** The effective user. */
  public static long userId() {
    return call(GETEUID);
  }

  /** The effective group. */
  public static long groupId() {
    return call(GETEGID);
  }

  private static long call(MethodHandle handle) {
    try {
      return Integer.toUnsignedLong((int) handle.invokeExact());
    } catch (Throwable t) {
      throw Native.unexpected(t);
    }
  }
}
