package dev.r3map.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.Stream;

/** A resource behind a round trip: how fast it comes, how soon, and how fast it can be written. */
final class RemoteTable implements Table {
  private static final List<Integer> ROUND_TRIPS = List.of(0, 2, 10, 20, 40);
  private static final int CHUNK = 256 << 10;

  /** What the adaptive puller goes up to. */
  private static final int MOST_ADAPTIVE = 256;

  private static final String ADAPTIVE = "managed";
  private static final String CHANNEL = "managed, FileChannel";
  private static final String DIRECT = "direct";
  private static final String GRPC = "gRPC alone";

  private static final String READ = "sequential read";
  private static final String FIRST = "first 4 KiB";
  private static final String WRITE = "write 1 MiB";
  private static final String SYNC = "sync";

  /** A way to read: its name, what it may have in flight, and the words for it. */
  private record Way(String name, int workers, String words) {
    boolean direct() {
      return workers == 0;
    }
  }

  private static final List<Way> WAYS =
      List.of(
          new Way(ADAPTIVE, MOST_ADAPTIVE, "ro=true"),
          new Way("16 workers", 16, "ro=true workers=16"),
          new Way("64 workers", 64, "ro=true workers=64"),
          new Way("256 workers", 256, "ro=true workers=256"),
          new Way(DIRECT, 0, "ro=true kind=direct"));

  @Override
  public String name() {
    return "remote";
  }

  @Override
  public String title() {
    return "Over gRPC, by round trip";
  }

  @Override
  public void run(Bench bench, Results results) throws IOException {
    long size = bench.pick(512, 32) * Bench.MIB;
    long written = bench.pick(256, 16) * Bench.MIB;
    int rounds = bench.rounds(7);
    try (Station server = Station.start("server");
        Station client = Station.start("client")) {
      server.tell("fill id=source size=%d seed=%d", size, Bench.SEED);
      server.tell("open id=target uri=memory:%d", written);
      for (int rtt : bench.pick(ROUND_TRIPS, List.of(0, 10))) {
        for (String id : List.of("source", "target")) {
          String uri = server.tell("serve backend=%s rtt=%d", id, rtt).text("uri");
          client.tell("open id=%s%d uri=%s", id, rtt, uri);
        }
      }
      for (int round = 0; round <= rounds; round++) {
        for (int rtt : Bench.rotated(bench.pick(ROUND_TRIPS, List.of(0, 10)), round)) {
          Bench.say("remote: round %d of %d, %d ms", round, rounds, rtt);
          Round now = new Round(bench, results, client, round, rtt);
          for (Way way : Bench.rotated(WAYS, round)) {
            now.read(way, size);
          }
          now.raw(size);
          now.channel(size);
          now.first(WAYS.getFirst());
          now.first(WAYS.getLast());
          now.write(ADAPTIVE, "kind=managed workers=0", written);
          now.write(DIRECT, "kind=direct", Math.min(written, bench.pick(64, 4) * Bench.MIB));
        }
      }
    }
  }

  private static String at(String metric, int rtt) {
    return "%s at %d ms".formatted(metric, rtt);
  }

  /** One time through everything at one round trip. */
  private record Round(Bench bench, Results results, Station client, int number, int rtt) {
    /** Workers that read chunks with nothing around them: what bounds every mount. */
    void raw(long size) throws IOException {
      for (int workers : List.of(16, 64, 256)) {
        Reply reply = client.tell("raw backend=source%d bytes=%d workers=%d", rtt, size, workers);
        reply.checkSum(new Payload(Bench.SEED).sum(0, size), GRPC);
        results.add(
            number, GRPC + " " + workers + " workers", at(READ, rtt), "MB/s", reply.real("mbps"));
      }
    }

    /**
     * The same reading without a file system: by the library's own channel, in the same process.
     */
    void channel(long size) throws IOException {
      Reply reply = client.tell("channel backend=source%d bytes=%d ro=true", rtt, size);
      reply.checkSum(new Payload(Bench.SEED).sum(0, size), CHANNEL);
      results.add(number, CHANNEL, at(READ, rtt), "MB/s", reply.real("mbps"));
    }

    /** From the moment of mounting to the last byte, in another process. */
    void read(Way way, long size) throws IOException {
      long bytes = way.direct() && rtt > 0 ? Math.min(size, bench.pick(64, 8) * Bench.MIB) : size;
      Path file = bench.newFile(way.name());
      long start =
          client
              .tell("mount id=m backend=source%d path=%s %s", rtt, file, way.words())
              .number("start");
      try {
        Reply reply = bench.programs().load("seq %s 1048576 %d sum".formatted(file, bytes));
        reply.checkSum(new Payload(Bench.SEED).sum(0, bytes), way.name());
        results.add(
            number, way.name(), at(READ, rtt), "MB/s", bytes * 1e3 / (reply.number("end") - start));
      } finally {
        client.tell("unmount id=m");
      }
    }

    /** While the background pull takes all it can get. */
    void first(Way way) throws IOException {
      Path file = bench.newFile(way.name());
      client.tell("mount id=m backend=source%d path=%s %s", rtt, file, way.words());
      try {
        String nanos =
            client
                .tell(
                    "sample id=m seed=%d load=%s count=%d gap=%d pulling=%s",
                    Bench.SEED, bench.programs().load(), bench.pick(50, 5), 10, !way.direct())
                .text("ns");
        Stream.of(nanos.split(","))
            .filter(text -> !text.isEmpty())
            .forEach(text ->
                results.add(number, way.name(), at(FIRST, rtt), "ms", Long.parseLong(text) / 1e6));
      } finally {
        client.tell("unmount id=m");
      }
    }

    /** Fresh content each time, read back from the remote after the sync. */
    void write(String name, String words, long bytes) throws IOException {
      long seed = Bench.SEED + 1 + number;
      Path file = bench.newFile(name);
      client.tell("mount id=m backend=target%d path=%s %s", rtt, file, words);
      try {
        Reply reply =
            bench.programs().load("write %s 1048576 %d %d fsync".formatted(file, bytes, seed));
        results.add(number, name, at(WRITE, rtt), "MB/s", reply.real("mbps"));
        results.add(number, name, at(SYNC, rtt), "MB/s", bytes * 1e3 / reply.number("fsync"));
      } finally {
        client.tell("unmount id=m");
      }
      client
          .tell("raw backend=target%d bytes=%d workers=64", rtt, bytes)
          .checkSum(new Payload(seed).sum(0, bytes), "after the sync of " + name + " the server");
    }
  }

  /** The best that gRPC alone did without a round trip. */
  private static OptionalDouble grpc(Results results) {
    return Stream.of(16, 64, 256)
        .map(workers -> results.median(GRPC + " " + workers + " workers", at(READ, 0)))
        .flatMapToDouble(OptionalDouble::stream)
        .max();
  }

  private static OptionalDouble share(Results results, String name, int workers, int rtt) {
    OptionalDouble grpc = grpc(results);
    OptionalDouble read = results.median(name, at(READ, rtt));
    if (grpc.isEmpty() || read.isEmpty()) {
      return OptionalDouble.empty();
    }
    double inFlight = rtt == 0 ? Double.MAX_VALUE : workers * (double) CHUNK / (rtt * 1e3);
    return OptionalDouble.of(read.getAsDouble() / Math.min(grpc.getAsDouble(), inFlight));
  }

  @Override
  public String markdown(Results results) {
    List<Integer> trips =
        ROUND_TRIPS.stream().filter(rtt -> results.metrics().contains(at(READ, rtt))).toList();
    Markdown text = new Markdown();
    text.paragraph(
        "The server is another process on this machine, with a resource in memory; it holds each"
            + " reply back for the round trip. Server, client and reader share the processors."
            + " Reading is from the moment of mounting to the last byte, checked by its sum in"
            + " another process, except for `FileChannel`, which is the library's own, read in the"
            + " client's process. `managed` chooses its pull workers itself. `gRPC alone` reads the"
            + " same chunks without a mount.");
    List<String> readers = new ArrayList<>();
    WAYS.forEach(way -> readers.add(way.name()));
    readers.add(CHANNEL);
    Stream.of(16, 64, 256).forEach(workers -> readers.add(GRPC + " " + workers + " workers"));
    text.medians(results, trips.stream().map(rtt -> at(READ, rtt)).toList(), readers);
    text.paragraph(
        "How long a program waits for 4 KiB at a random place that is not local, while the pull is"
            + " at work, in ms:");
    List<List<String>> waits = new ArrayList<>();
    for (int rtt : trips) {
      List<String> cells = new ArrayList<>(List.of(rtt + " ms"));
      for (String name : List.of(ADAPTIVE, DIRECT)) {
        for (double p : new double[] {0.5, 0.95}) {
          cells.add(Markdown.number(results.percentile(name, at(FIRST, rtt), p)));
        }
        cells.add(Integer.toString(results.values(name, at(FIRST, rtt)).length));
      }
      waits.add(cells);
    }
    text.table(
        List.of("round trip", "managed p50", "p95", "samples", "direct p50", "p95", "samples"),
        waits);
    List<String> writes = new ArrayList<>();
    trips.forEach(rtt -> writes.add(at(WRITE, rtt)));
    trips.forEach(rtt -> writes.add(at(SYNC, rtt)));
    text.medians(results, writes, List.of(ADAPTIVE, DIRECT));
    text.paragraph(
        "Throughput ends where the processors do: a GiB takes 1.8 s of processor time over gRPC"
            + " alone, and 2.9 s through a managed mount, which also keeps the bytes, puts them into"
            + " the page cache and has another process read them there. Two processors have 2 s in a"
            + " second. At longer round trips the pull keeps less in flight than the link would take,"
            + " so that a reader's own fetch does not queue.");
    return text.targets(targets(results, trips)).toString();
  }

  private static Markdown.Targets targets(Results results, List<Integer> trips) {
    Markdown.Targets targets = new Markdown.Targets();
    for (int rtt : trips) {
      targets.atLeast(
          "read at %d ms, %s / min(gRPC at 0 ms, in flight)".formatted(rtt, CHANNEL),
          share(results, CHANNEL, MOST_ADAPTIVE, rtt),
          0.8);
      for (Way way : WAYS) {
        if (!way.direct()) {
          targets.atLeast(
              "read at %d ms, %s / min(gRPC at 0 ms, in flight)".formatted(rtt, way.name()),
              share(results, way.name(), way.workers(), rtt),
              0.8);
        }
      }
    }
    for (int rtt : trips) {
      targets.atMost(
          "first 4 KiB at %d ms, p50, ms".formatted(rtt),
          results.percentile(ADAPTIVE, at(FIRST, rtt), 0.5),
          rtt + 3);
      targets.atMost(
          "first 4 KiB at %d ms, p95, ms".formatted(rtt),
          results.percentile(ADAPTIVE, at(FIRST, rtt), 0.95),
          rtt + 3);
    }
    OptionalDouble near = results.median(ADAPTIVE, at(WRITE, 0));
    for (int rtt : trips) {
      OptionalDouble far = results.median(ADAPTIVE, at(WRITE, rtt));
      if (rtt > 0 && near.isPresent() && far.isPresent()) {
        targets.atLeast(
            "write at %d ms / at 0 ms".formatted(rtt),
            OptionalDouble.of(far.getAsDouble() / near.getAsDouble()),
            0.8);
      }
    }
    return targets;
  }
}
