package dev.r3map.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** How long it takes until a mount can be used. */
final class ReadyTable implements Table {
  private static final String WARM = "r3map in a warm JVM";
  private static final String SHELL = "./r3map mount";
  private static final String MEMFS = "libfuse in C";
  private static final String NBDFUSE = "nbdfuse";
  private static final String STAT = "until stat shows it";
  private static final String READ = "until the first byte is read";

  @Override
  public String name() {
    return "ready";
  }

  @Override
  public String title() {
    return "Until a mount is ready";
  }

  @Override
  public void run(Bench bench, Results results) throws IOException {
    long size = bench.pick(256, 16) * Bench.MIB;
    int warmUp = bench.pick(20, 2);
    int rounds = bench.rounds(20);
    boolean launcher = hasLauncher(bench);
    try (Station server = Station.start("server");
        Station client = Station.start("client");
        Watcher watcher = new Watcher(bench.programs())) {
      server.tell("fill id=source size=%d seed=%d", size, Bench.SEED);
      String uri = server.tell("serve backend=source").text("uri");
      client.tell("open id=source uri=%s", uri);
      for (int i = -warmUp; i <= rounds; i++) {
        int round = Math.max(i, 0);
        warm(bench, results, client, watcher, size, round);
        if (i > 0) {
          Bench.say("ready: round %d of %d", i, rounds);
          peer(bench, results, watcher, size, round, false);
          peer(bench, results, watcher, size, round, true);
          if (launcher) {
            shell(bench, results, watcher, uri, size, round);
          }
        }
      }
    }
  }

  private static boolean hasLauncher(Bench bench) {
    try {
      Programs.run(Duration.ofMinutes(5), bench.root().resolve("r3map").toString(), "version");
      return true;
    } catch (IOException e) {
      Bench.say("ready: without the command line: %s", e.toString());
      return false;
    }
  }

  private static void warm(
      Bench bench, Results results, Station client, Watcher watcher, long size, int round)
      throws IOException {
    Path file = bench.newFile("ready");
    watcher.watch(file, size);
    Reply times = client.tell("mount id=m backend=source path=%s ro=true", file);
    try {
      long start = times.number("start");
      add(results, round, WARM, start, watcher.seen());
      results.add(round, WARM, "open", "ms", (times.number("opened") - start) / 1e6);
      results.add(
          round, WARM, "attach", "ms", (times.number("attached") - times.number("opened")) / 1e6);
    } finally {
      client.tell("unmount id=m");
    }
  }

  private static void peer(
      Bench bench, Results results, Watcher watcher, long size, int round, boolean nbd)
      throws IOException {
    long start = System.nanoTime();
    try (Peer peer = nbd ? Peer.nbdfuse(bench, size) : Peer.memfs(bench, size)) {
      // It is there by now; what it took to see that is a fraction of a millisecond.
      watcher.watch(peer.file(), size);
      add(results, round, nbd ? NBDFUSE : MEMFS, start, watcher.seen());
    }
  }

  private static void shell(
      Bench bench, Results results, Watcher watcher, String uri, long size, int round)
      throws IOException {
    Path file = bench.newFile("shell");
    watcher.watch(file, size);
    long start = System.nanoTime();
    Process process =
        new ProcessBuilder(
                bench.root().resolve("r3map").toString(),
                "mount",
                "--read-only",
                uri,
                file.toString())
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      add(results, round, SHELL, start, watcher.seen());
    } finally {
      process.destroy();
      if (!Programs.ended(process, Duration.ofSeconds(20))) {
        process.destroyForcibly();
      }
    }
  }

  private static void add(Results results, int round, String who, long start, Reply seen) {
    results.add(round, who, STAT, "ms", (seen.number("stat") - start) / 1e6);
    results.add(round, who, READ, "ms", (seen.number("read") - start) / 1e6);
  }

  @Override
  public String markdown(Results results) {
    Markdown text = new Markdown();
    text.paragraph(
        "Seen from another process, which asks with `stat` ten times a millisecond. r3map mounts a"
            + " resource that a gRPC server on this machine has; the peers' figures include the"
            + " start of their processes, as that of `./r3map mount` does.");
    text.medians(results, new ArrayList<>(results.metrics()), List.of(WARM, SHELL, MEMFS, NBDFUSE));
    return text.targets(
            new Markdown.Targets()
                .atMost(WARM + ", ms", results.median(WARM, STAT), 15)
                .atMost(SHELL + ", ms", results.median(SHELL, STAT), 400))
        .toString();
  }
}
