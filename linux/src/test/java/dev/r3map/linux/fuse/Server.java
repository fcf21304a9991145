package dev.r3map.linux.fuse;

import dev.r3map.linux.Fuse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** Another JVM that serves a mount until its input ends, and then exits without closing it. */
final class Server {
  static final int SIZE = 12_345;

  private Server() {}

  static Process start(Path path) throws IOException {
    List<String> command = new ArrayList<>(Program.java());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            Classes.path(),
            Server.class.getName(),
            path.toString()));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  /** Waits for the mount. */
  static boolean ready(Process server) throws IOException {
    return "ready".equals(server.inputReader(StandardCharsets.UTF_8).readLine());
  }

  @SuppressWarnings({"resource", "try"})
  public static void main(String[] args) throws Exception {
    TestRegion region = TestRegion.remote(SIZE);
    CountDownLatch never = new CountDownLatch(1);
    region.onFetch =
        chunk -> {
          try {
            never.await();
          } catch (InterruptedException e) {
            throw new IOException(e);
          }
        };
    Fuse.attach(region, Path.of(args[0]));
    System.out.println("ready");
    System.out.flush();
    while (System.in.read() >= 0) {
      // Until it is closed.
    }
    System.exit(0);
  }
}
