package dev.r3map.linux.fuse;

import dev.r3map.linux.Fuse;
import dev.r3map.linux.FuseOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** What {@link FuseUserTest} has a process of another user do. */
final class UserScenarios {
  private static final int MIB = 1 << 20;

  private UserScenarios() {}

  public static void main(String[] args) throws Exception {
    Path path = Path.of(args[1]);
    if (Fuse.unavailable().isPresent()) {
      throw new AssertionError(Fuse.unavailable().get());
    }
    switch (args[0]) {
      case "reads and writes" -> readsAndWrites(path);
      case "held open" -> heldOpen(path);
      case "read only" -> readOnly(path);
      case "in flight" -> inFlight(path);
      case "fails" -> fails(path);
      case "stale" -> stale(path);
      case "unmounted while open" -> unmountedWhileOpen(path);
      default -> throw new IllegalArgumentException(args[0]);
    }
    check(Leaks.mounts(path.getParent()).isEmpty(), "mounts are left");
    Leaks.await("threads end", () -> Leaks.threads().isEmpty());
    check(Files.notExists(path), "the mount point is left");
    System.out.println("passed");
    System.exit(0);
  }

  private static void readsAndWrites(Path path) throws Exception {
    try (TestRegion region = TestRegion.remote(MIB + 1);
        FuseDevice device = FuseDevice.open(region, path, FuseOptions.DEFAULT);
        Program program = Program.start()) {
      check(Files.size(path) == MIB + 1, "size");
      program.ok("open rw " + device.path());
      byte[] expected = TestRegion.pattern(0, MIB + 1);
      same(program.ok("read 0 " + (MIB + 1)), expected);
      program.ok("mapwrite 0 " + (MIB + 1));
      program.ok("put 0 1 9");
      program.ok("msync");
      expected[0] = 9;
      java.nio.ByteBuffer bytes = java.nio.ByteBuffer.allocate(MIB + 1);
      region.read(bytes, 0);
      same(Program.crc(bytes.array()), expected);
    }
  }

  private static void heldOpen(Path path) throws Exception {
    try (TestRegion region = TestRegion.remote(64 * MIB);
        Program program = Program.start()) {
      try (FuseDevice device = FuseDevice.open(region, path, FuseOptions.DEFAULT)) {
        program.ok("open rw " + device.path());
        program.ok("map 0 " + 64 * MIB);
        program.ok("get 0 10");
      }
      check(program.tell("read " + 32 * MIB + " 4096").startsWith("error"), "read after close");
      check(program.tell("write 0 4096 1").startsWith("error"), "write after close");
      check(program.tell("get " + 32 * MIB + " 4096").startsWith("error"), "touch after close");
    }
  }

  private static void readOnly(Path path) throws Exception {
    try (TestRegion region = TestRegion.localReadOnly(MIB, 0);
        FuseDevice device = FuseDevice.open(region, path, FuseOptions.DEFAULT);
        Program program = Program.start()) {
      check(program.tell("open rw " + device.path()).contains("Read-only"), "read only");
      program.ok("open r " + device.path());
      same(program.ok("read 0 100"), TestRegion.pattern(0, 100));
      check(!device.passesThrough(), "no passthrough for users");
    }
  }

  private static void inFlight(Path path) throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch never = new CountDownLatch(1);
    try (TestRegion region = TestRegion.remote(MIB);
        Program program = Program.start()) {
      try (FuseDevice device = FuseDevice.open(region, path, FuseOptions.DEFAULT)) {
        region.onFetch =
            chunk -> {
              asked.countDown();
              try {
                never.await();
              } catch (InterruptedException e) {
                throw new IOException(e);
              }
            };
        program.ok("open r " + device.path());
        program.begin("read 0 100");
        asked.await();
      }
      check(program.answer().startsWith("error"), "the read fails");
    }
  }

  private static void fails(Path path) throws Exception {
    for (String step : new String[] {"mounted", "handshake", "notifier", "receivers", "ready"}) {
      try (TestRegion region = TestRegion.local(MIB)) {
        FuseDevice.open(
            region,
            path,
            FuseOptions.DEFAULT,
            done -> {
              if (done.equals(step)) {
                throw new IOException("injected");
              }
            });
        throw new AssertionError("opened in spite of " + step);
      } catch (IOException e) {
        check("injected".equals(e.getMessage()), e.toString());
        check(e.getSuppressed().length == 0, "clean: " + step);
      }
      check(Leaks.mounts(path.getParent()).isEmpty(), "a mount is left after " + step);
    }
    try (TestRegion region = TestRegion.local(MIB)) {
      Fuse.attach(region, Path.of("/etc/passwd"));
      throw new AssertionError("mounted over a file of root");
    } catch (IOException e) {
      check(e.getMessage().contains("Permission denied"), e.toString());
    }
  }

  private static void stale(Path path) throws Exception {
    Process server = Server.start(path);
    check(Server.ready(server), "ready");
    server.destroyForcibly();
    server.waitFor();
    try (TestRegion region = TestRegion.local(MIB);
        FuseDevice device = FuseDevice.open(region, path, FuseOptions.DEFAULT)) {
      check(Files.size(device.path()) == MIB, "size");
    }
    Files.delete(path);
  }

  private static void unmountedWhileOpen(Path path) throws Exception {
    try (TestRegion region = TestRegion.local(MIB);
        Program program = Program.start()) {
      FuseDevice device = FuseDevice.open(region, path, FuseOptions.DEFAULT);
      program.ok("open r " + device.path());
      check(Leaks.run("fusermount3", "-u", "-z", path.toString()) == 0, "unmount");
      FutureTask<Boolean> closing =
          new FutureTask<>(() -> {
            device.close();
            return true;
          });
      Thread.ofPlatform().start(closing);
      while (!closing.isDone()) {
        check(
            Leaks.threads().stream().noneMatch(thread -> thread.contains("nudge")),
            "there is nothing to nudge");
        Thread.sleep(10);
      }
      try {
        closing.get();
      } catch (ExecutionException e) {
        // Without the control file system of FUSE a user cannot do more.
        check(String.valueOf(e.getMessage()).contains("have the file open"), "why close fails");
      }
    }
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (Leaks.threads().stream().anyMatch(thread -> thread.contains("receiver"))) {
      check(System.nanoTime() < deadline, "receivers end with the program");
      Thread.sleep(10);
    }
  }

  private static void same(String crc, byte[] expected) {
    check(crc.equals(Program.crc(expected)), "different bytes");
  }

  private static void check(boolean condition, String what) {
    if (!condition) {
      throw new AssertionError(what);
    }
  }
}
