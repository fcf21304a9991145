package dev.r3map.linux.fuse;

import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.ErrnoException;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.FuseCalls;
import dev.r3map.linux.ffi.SpawnCalls;
import dev.r3map.linux.ffi.SpawnCalls.Pair;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.locks.LockSupport;

/**
 * Mounts and unmounts for users who may not: through the program {@code fusermount3}, which is set
 * to run as root, opens {@code /dev/fuse}, mounts, and sends the descriptor over a socket;
 * fusermount3(1).
 */
final class Fusermount {
  /** Of FUSE 3, and of FUSE 2 where that is all there is. */
  static final List<String> PROGRAMS = List.of("fusermount3", "fusermount");

  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final Duration POLL = Duration.ofMillis(1);
  private static final int LONGEST_MESSAGE = 4096;

  private Fusermount() {}

  /**
   * Mounts.
   *
   * @return the descriptor of {@code /dev/fuse}
   */
  static int mount(Path path, String options) throws IOException {
    Pair sockets = SpawnCalls.socketPair();
    OptionalInt received = OptionalInt.empty();
    try {
      Child child;
      try {
        child =
            Child.start(
                List.of("-o", options, "--", path.toString()), OptionalInt.of(sockets.theirs()));
      } finally {
        FileCalls.close(sockets.theirs());
      }
      if (FuseCalls.awaitReadable(sockets.ours(), (int) LIMIT.toMillis())) {
        received = SpawnCalls.receiveDescriptor(sockets.ours());
      }
      child.finish("mount at " + path);
      if (received.isEmpty()) {
        throw new IOException(child.program() + " did not hand over the mount at " + path);
      }
      return received.getAsInt();
    } catch (IOException e) {
      if (received.isPresent()) {
        FileCalls.close(received.getAsInt());
      }
      throw e;
    } finally {
      FileCalls.close(sockets.ours());
    }
  }

  /** Takes a mount out of the tree at once. */
  static void unmount(Path path) throws IOException {
    Child.start(List.of("-u", "-z", "--", path.toString()), OptionalInt.empty())
        .finish("unmount " + path);
  }

  /** A running program, and what it complains of. */
  private record Child(String program, int pid, int stderr) {

    static Child start(List<String> arguments, OptionalInt socket) throws IOException {
      List<String> environment = new ArrayList<>(List.of("LC_ALL=C", "PATH=" + path()));
      if (socket.isPresent()) {
        environment.add("_FUSE_COMMFD=" + socket.getAsInt());
      }
      Pair pipe = SpawnCalls.pipe();
      try {
        for (String program : PROGRAMS) {
          List<String> command = new ArrayList<>(List.of(program));
          command.addAll(arguments);
          try {
            int pid = SpawnCalls.spawn(command, environment, socket, pipe.theirs());
            return new Child(program, pid, pipe.ours());
          } catch (ErrnoException e) {
            if (e.errno() != Errno.ENOENT) {
              throw e;
            }
          }
        }
        throw new IOException(
            "only root may mount here, for there is no fusermount3; install the package fuse3");
      } catch (IOException e) {
        FileCalls.close(pipe.ours());
        throw e;
      } finally {
        FileCalls.close(pipe.theirs());
      }
    }

    /** Waits for its end. */
    void finish(String action) throws IOException {
      String complaint = "";
      try {
        if (FuseCalls.awaitReadable(stderr, (int) LIMIT.toMillis())) {
          complaint = SpawnCalls.readText(stderr, LONGEST_MESSAGE).strip();
        }
      } finally {
        FileCalls.close(stderr);
      }
      int status = awaitExit(action);
      if (status != 0) {
        throw new IOException(
            "cannot %s: %s"
                .formatted(action, complaint.isEmpty() ? program + " failed" : complaint));
      }
    }

    private int awaitExit(String action) throws IOException {
      long deadline = System.nanoTime() + LIMIT.toNanos();
      while (true) {
        OptionalInt status = SpawnCalls.exitStatus(pid);
        if (status.isPresent()) {
          return status.getAsInt();
        }
        if (System.nanoTime() - deadline > 0) {
          SpawnCalls.kill(pid);
          throw new IOException("cannot " + action + ": " + program + " hangs");
        }
        LockSupport.parkNanos(POLL.toNanos());
      }
    }

    private static String path() {
      String path = System.getenv("PATH");
      return path == null ? "/usr/bin:/bin" : path;
    }
  }
}
