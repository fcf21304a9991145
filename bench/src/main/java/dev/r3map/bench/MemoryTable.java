package dev.r3map.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.concurrent.atomic.AtomicBoolean;

/** How much memory a mount of 64 GiB takes while it is read from one end to the other. */
final class MemoryTable implements Table {
  private static final String HEAP = "heap after a collection, at most";
  private static final String USED = "heap used, at most";
  private static final long ISLAND = Bench.MIB;

  /** What is mounted, and how. */
  private record Way(String name, String backend, String words) {}

  private static final List<Way> WAYS =
      List.of(
          new Way("managed", "sparse", "ro=true"),
          new Way("managed, writable", "sparse", ""),
          new Way("managed, holes unknown", "opaque", "ro=true"),
          new Way("direct", "sparse", "ro=true kind=direct"));

  @Override
  public String name() {
    return "memory";
  }

  @Override
  public String title() {
    return "Memory, with 64 GiB mounted and read";
  }

  @Override
  public void run(Bench bench, Results results) throws IOException {
    long size = 64L << 30;
    long every = 256 * Bench.MIB;
    long checked = bench.pick(2048, 512) * Bench.MIB;
    long expected = sum(every, checked);
    try (Station server = Station.start("server")) {
      server.tell("fill id=sparse size=%d every=%d seed=%d", size, every, Bench.SEED);
      server.tell("hide id=opaque backend=sparse");
      String sparse = server.tell("serve backend=sparse").text("uri");
      String opaque = server.tell("serve backend=opaque").text("uri");
      for (Way way : WAYS) {
        Bench.say("memory: %s", way.name());
        try (Station client = Station.start("client", "-Xmx64m")) {
          client.tell("open id=b uri=%s", way.backend().equals("sparse") ? sparse : opaque);
          Path file = bench.newFile(way.name());
          client.tell("mount id=m backend=b path=%s %s", file, way.words());
          note(results, way.name(), "mounted", client.tell("memory"));
          bench
              .programs()
              .load("seq %s 1048576 %d sum".formatted(file, checked))
              .checkSum(expected, way.name());
          scan(bench, results, client, way.name(), file);
          client.tell("unmount id=m");
        }
      }
    }
  }

  private static long sum(long every, long length) {
    Payload payload = new Payload(Bench.SEED);
    long total = 0;
    for (long at = 0; at < length; at += every) {
      total += payload.sum(at, ISLAND) + Payload.sumOfZeros(at + ISLAND, every - ISLAND);
    }
    return total;
  }

  /** Reads on while looking at the memory from time to time. */
  private static void scan(Bench bench, Results results, Station client, String name, Path file)
      throws IOException {
    long bytes = bench.pick(64L, 1L) << 30;
    AtomicBoolean done = new AtomicBoolean();
    List<IOException> failures = new ArrayList<>();
    Thread reader =
        Thread.ofPlatform()
            .start(() -> {
              try {
                Reply reply = bench.programs().load("seq %s 1048576 %d".formatted(file, bytes));
                results.add(1, name, "read", "MB/s", reply.real("mbps"));
              } catch (IOException e) {
                failures.add(e);
              } finally {
                done.set(true);
              }
            });
    List<Reply> seen = new ArrayList<>();
    try {
      while (!done.get()) {
        seen.add(client.tell("memory"));
        Thread.sleep(500);
      }
      reader.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    if (!failures.isEmpty()) {
      throw failures.getFirst();
    }
    seen.add(client.tell("memory"));
    seen.forEach(reply -> note(results, name, "read", reply));
  }

  private static void note(Results results, String name, String when, Reply memory) {
    Map<String, String> figures = Map.of("heap", HEAP, "heapPeak", USED);
    figures.forEach((key, metric) ->
        results.add(1, name, metric + ", " + when, "MiB", memory.number(key) / (double) Bench.MIB));
    results.add(1, name, "anonymous RSS, " + when, "MiB", memory.number("RssAnon") / 1024.0);
    results.add(1, name, "shared RSS, " + when, "MiB", memory.number("RssShmem") / 1024.0);
  }

  @Override
  public String markdown(Results results) {
    Markdown text = new Markdown();
    text.paragraph(
        "The resource has 1 MiB of data in every 256 MiB, holes between, and a gRPC server of its"
            + " own. The JVM that mounts it has `-Xmx64m`. `holes unknown` hides from the mount where"
            + " they are. Of what changes, the largest value is shown.");
    List<String> contenders = WAYS.stream().map(Way::name).toList();
    List<String> head = new ArrayList<>(List.of("largest"));
    head.addAll(contenders);
    List<List<String>> rows = new ArrayList<>();
    for (String metric : results.metrics()) {
      List<String> cells = new ArrayList<>(List.of(metric + ", " + results.unit(metric)));
      contenders.forEach(c -> cells.add(Markdown.number(results.percentile(c, metric, 1))));
      rows.add(cells);
    }
    text.table(head, rows);
    Markdown.Targets targets = new Markdown.Targets();
    for (String contender : contenders) {
      OptionalDouble most = results.percentile(contender, HEAP + ", read", 1);
      targets.atMost("heap of %s, MiB".formatted(contender), most, 64);
    }
    return text.targets(targets).toString();
  }
}
