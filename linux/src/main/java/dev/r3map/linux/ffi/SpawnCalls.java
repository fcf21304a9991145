package dev.r3map.linux.ffi;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalInt;

/**
 * Child processes that hand descriptors back: posix_spawnp(3), socketpair(2), recvmsg(2),
 * waitpid(2), kill(2), pipe2(2); structs of {@code sys/socket.h}. {@link ProcessBuilder} cannot do
 * this: it closes every descriptor but three in the child.
 */
public final class SpawnCalls {
  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM = 1;
  private static final int SOCK_CLOEXEC = 0x8_0000;
  private static final int O_CLOEXEC = 0x8_0000;
  private static final int MSG_CMSG_CLOEXEC = 0x4000_0000;
  private static final int WNOHANG = 1;
  private static final int SIGKILL = 9;
  private static final int STDERR = 2;

  /** At least {@code sizeof(posix_spawn_file_actions_t)}. */
  private static final long FILE_ACTIONS_SIZE = 256;

  /** {@code struct msghdr}, 64 bit. */
  private static final long MSGHDR_SIZE = 56;

  private static final long MSG_IOV = 16;
  private static final long MSG_IOVLEN = 24;
  private static final long MSG_CONTROL = 32;
  private static final long MSG_CONTROLLEN = 40;

  /** {@code struct cmsghdr} and one descriptor, padded. */
  private static final long CMSG_SPACE = 24;

  private static final long CMSG_LEVEL = 8;
  private static final long CMSG_TYPE = 12;
  private static final long CMSG_DATA = 16;
  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;

  private static final MethodHandle SOCKETPAIR =
      Native.link(
          "socketpair", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS));
  private static final MethodHandle PIPE2 =
      Native.link("pipe2", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle RECVMSG =
      Native.link("recvmsg", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle READ =
      Native.link("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle WAITPID =
      Native.link("waitpid", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle KILL =
      Native.link("kill", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle ACTIONS_INIT =
      Native.linkPlain("posix_spawn_file_actions_init", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle ACTIONS_ADDDUP2 =
      Native.linkPlain(
          "posix_spawn_file_actions_adddup2",
          FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT));
  private static final MethodHandle ACTIONS_DESTROY =
      Native.linkPlain(
          "posix_spawn_file_actions_destroy", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle POSIX_SPAWNP =
      Native.linkPlain(
          "posix_spawnp",
          FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS));

  private SpawnCalls() {}

  /** Two descriptors that belong together. */
  public record Pair(int ours, int theirs) {}

  /** Two connected sockets. */
  public static Pair socketPair() throws IOException {
    return pair(
        (errno, arena, fds) ->
            (int) SOCKETPAIR.invokeExact(errno, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
        "make a socket pair");
  }

  /** A pipe; ours is the end to read from. */
  public static Pair pipe() throws IOException {
    return pair(
        (errno, arena, fds) -> (int) PIPE2.invokeExact(errno, fds, O_CLOEXEC), "make a pipe");
  }

  /**
   * Starts a program of the search path.
   *
   * @param inherited a descriptor that the child has under the same number, if present
   * @param stderr what the child's standard error is
   * @return its process id
   */
  public static int spawn(
      List<String> command, List<String> environment, OptionalInt inherited, int stderr)
      throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment actions = arena.allocate(FILE_ACTIONS_SIZE, Long.BYTES);
      MemorySegment pid = arena.allocate(JAVA_INT);
      MemorySegment program = arena.allocateFrom(command.getFirst());
      MemorySegment arguments = strings(arena, command);
      MemorySegment variables = strings(arena, environment);
      check((int) ACTIONS_INIT.invokeExact(actions), command);
      try {
        check((int) ACTIONS_ADDDUP2.invokeExact(actions, stderr, STDERR), command);
        if (inherited.isPresent()) {
          // Onto itself, which makes it survive the exec.
          int fd = inherited.getAsInt();
          check((int) ACTIONS_ADDDUP2.invokeExact(actions, fd, fd), command);
        }
        check(
            (int)
                POSIX_SPAWNP.invokeExact(
                    pid, program, actions, MemorySegment.NULL, arguments, variables),
            command);
      } finally {
        int ignored = (int) ACTIONS_DESTROY.invokeExact(actions);
      }
      return pid.get(JAVA_INT, 0);
    } catch (IOException e) {
      throw e;
    } catch (Throwable t) {
      throw Native.unexpected(t);
    }
  }

  /** Receives one descriptor; empty if the other side closed instead. */
  public static OptionalInt receiveDescriptor(int socket) throws IOException {
    try (Arena result = Arena.ofConfined()) {
      MemorySegment control = result.allocate(CMSG_SPACE, Long.BYTES);
      long received =
          Native.retry((errno, arena) -> {
            MemorySegment iovec = arena.allocate(FuseCalls.IOVEC_SIZE, Long.BYTES);
            iovec.set(ADDRESS, FuseCalls.IOVEC_BASE, arena.allocate(1));
            iovec.set(JAVA_LONG, FuseCalls.IOVEC_LENGTH, 1);
            MemorySegment message = arena.allocate(MSGHDR_SIZE, Long.BYTES);
            message.set(ADDRESS, MSG_IOV, iovec);
            message.set(JAVA_LONG, MSG_IOVLEN, 1);
            message.set(ADDRESS, MSG_CONTROL, control);
            message.set(JAVA_LONG, MSG_CONTROLLEN, CMSG_SPACE);
            return (long) RECVMSG.invokeExact(errno, socket, message, MSG_CMSG_CLOEXEC);
          });
      Native.orThrow(received, "receive a descriptor");
      boolean rights =
          control.get(JAVA_INT, CMSG_LEVEL) == SOL_SOCKET
              && control.get(JAVA_INT, CMSG_TYPE) == SCM_RIGHTS;
      return received > 0 && rights
          ? OptionalInt.of(control.get(JAVA_INT, CMSG_DATA))
          : OptionalInt.empty();
    }
  }

  /** What can be read at once, up to {@code limit} bytes; empty at the end. */
  public static String readText(int fd, int limit) throws IOException {
    try (Arena result = Arena.ofConfined()) {
      MemorySegment bytes = result.allocate(limit);
      long read =
          Native.retry((errno, arena) -> (long) READ.invokeExact(errno, fd, bytes, (long) limit));
      Native.orThrow(read, "read");
      return new String(bytes.asSlice(0, read).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
    }
  }

  /** The exit status of a child, or empty while it runs. */
  public static OptionalInt exitStatus(int pid) throws IOException {
    try (Arena result = Arena.ofConfined()) {
      MemorySegment status = result.allocate(JAVA_INT);
      long ended =
          Native.retry((errno, arena) -> (int) WAITPID.invokeExact(errno, pid, status, WNOHANG));
      return Native.orThrow(ended, "wait for a child") == 0
          ? OptionalInt.empty()
          : OptionalInt.of(status.get(JAVA_INT, 0));
    }
  }

  /** Ends a child of ours. */
  public static void kill(int pid) throws IOException {
    long result = Native.call((errno, arena) -> (int) KILL.invokeExact(errno, pid, SIGKILL));
    Native.orThrow(result, "kill a child");
  }

  private interface PairCall {
    long invoke(MemorySegment errno, Arena arena, MemorySegment fds) throws Throwable;
  }

  private static Pair pair(PairCall call, String action) throws IOException {
    try (Arena result = Arena.ofConfined()) {
      MemorySegment fds = result.allocate(JAVA_INT, 2);
      Native.orThrow(Native.call((errno, arena) -> call.invoke(errno, arena, fds)), action);
      return new Pair(fds.getAtIndex(JAVA_INT, 0), fds.getAtIndex(JAVA_INT, 1));
    }
  }

  private static MemorySegment strings(Arena arena, List<String> strings) {
    MemorySegment array = arena.allocate(ADDRESS, strings.size() + 1L);
    for (int i = 0; i < strings.size(); i++) {
      array.setAtIndex(ADDRESS, i, arena.allocateFrom(strings.get(i)));
    }
    return array;
  }

  private static void check(int errno, List<String> command) throws ErrnoException {
    if (errno != 0) {
      throw new ErrnoException("start " + command.getFirst(), errno);
    }
  }
}
