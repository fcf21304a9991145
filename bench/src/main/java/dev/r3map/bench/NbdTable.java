package dev.r3map.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Memory as a network block device, beside nbdkit's memory plugin. */
final class NbdTable implements Table {
  private static final String OURS = "r3map";
  private static final String THEIRS = "nbdkit";
  private static final List<String> PLAIN = List.of("Unix", "TCP");
  private static final String TLS = "TLS";

  private static final String READ_1 = "4 KiB random read, 1 deep";
  private static final String READ_32 = "4 KiB random read, 32 deep";
  private static final String WRITE_32 = "4 KiB random write, 32 deep";
  private static final String READ_1M = "1 MiB sequential read, 8 deep";
  private static final String WRITE_1M = "1 MiB sequential write, 8 deep";
  private static final String COPY_OUT = "nbdcopy to nowhere";
  private static final String COPY_IN = "nbdcopy from tmpfs";
  private static final String P99 = " p99";
  private static final String ALLOCATED = "allocated per 4 KiB request";

  private static final Duration LIMIT = Duration.ofMinutes(2);

  private record Contender(String name, String uri) {}

  private record Job(String metric, String mode, String block, int depth) {
    boolean small() {
      return block.equals("4k");
    }
  }

  private static final List<Job> JOBS =
      List.of(
          new Job(READ_1, "randread", "4k", 1),
          new Job(READ_32, "randread", "4k", 32),
          new Job(WRITE_32, "randwrite", "4k", 32),
          new Job(READ_1M, "read", "1m", 8),
          new Job(WRITE_1M, "write", "1m", 8));

  @Override
  public String name() {
    return "nbd";
  }

  @Override
  public String title() {
    return "Memory as a network block device";
  }

  @Override
  public void run(Bench bench, Results results) throws IOException {
    long size = bench.pick(1024, 64) * Bench.MIB;
    int rounds = bench.rounds(7);
    Path certificates = certificates(bench);
    Path ourSocket = bench.newFile("r3map-socket");
    Path payload = bench.tmpfsFile(size);
    try (Station station = Station.start("r3map");
        NbdPeer unix = NbdPeer.unix(bench, size);
        NbdPeer tcp = NbdPeer.tcp(bench, size);
        NbdPeer tls = NbdPeer.tls(bench, size, certificates)) {
      station.tell("fill id=disk size=%d seed=%d", size, Bench.SEED);
      station.tell("nbd backend=disk socket=%s", ourSocket);
      String ourTcp = station.tell("nbd backend=disk").text("uri");
      int ourTls =
          port(
              station
                  .tell(
                      "nbd backend=disk certificate=%1$s/server-cert.pem key=%1$s/server-key.pem",
                      certificates)
                  .text("uri"));
      List<Contender> plain =
          List.of(
              new Contender(name(OURS, "Unix"), "nbd+unix:///?socket=" + ourSocket),
              new Contender(name(THEIRS, "Unix"), unix.uri()),
              new Contender(name(OURS, "TCP"), ourTcp),
              new Contender(name(THEIRS, "TCP"), tcp.uri()));
      List<Contender> all = new ArrayList<>(plain);
      all.add(
          new Contender(
              name(OURS, TLS),
              "nbds://localhost:%d/?tls-certificates=%s".formatted(ourTls, certificates)));
      all.add(new Contender(name(THEIRS, TLS), tls.uri()));
      for (Contender contender : all) {
        Programs.run(LIMIT, "nbdcopy", payload.toString(), contender.uri());
      }
      for (int round = 0; round <= rounds; round++) {
        Bench.say("nbd: round %d of %d", round, rounds);
        for (Contender contender : Bench.rotated(all, round)) {
          copies(results, round, contender, payload, size);
        }
        for (Job job : JOBS) {
          for (Contender contender : Bench.rotated(plain, round)) {
            measure(bench, results, round, contender, job);
          }
        }
        for (String mode : List.of("randread", "randwrite")) {
          allocations(bench, results, round, station, plain.getFirst(), mode);
        }
      }
      verify(bench, all, payload, size);
    }
  }

  /** After the random writes: what is copied in comes out. */
  private static void verify(Bench bench, List<Contender> all, Path payload, long size)
      throws IOException {
    Path back = bench.newFile("back");
    for (Contender contender : all) {
      Programs.run(LIMIT, "nbdcopy", payload.toString(), contender.uri());
      Programs.run(LIMIT, "nbdcopy", contender.uri(), back.toString());
      bench.verify(contender.name(), back, size);
      Files.delete(back);
    }
  }

  private static void copies(
      Results results, int round, Contender contender, Path payload, long size) throws IOException {
    copy(results, round, contender, COPY_IN, size, payload.toString(), contender.uri());
    copy(results, round, contender, COPY_OUT, size, contender.uri(), "null:");
  }

  private static void copy(
      Results results,
      int round,
      Contender contender,
      String metric,
      long size,
      String from,
      String to)
      throws IOException {
    long start = System.nanoTime();
    Programs.run(LIMIT, "nbdcopy", "--connections=1", from, to);
    results.add(round, contender.name(), metric, "MB/s", size * 1e3 / (System.nanoTime() - start));
  }

  private static void measure(Bench bench, Results results, int round, Contender contender, Job job)
      throws IOException {
    Programs.NbdFio fio =
        Programs.nbdFio(
            contender.uri(),
            bench.pick(1.5, 0.2),
            "--rw=%s --bs=%s --iodepth=%d --size=100%%"
                .formatted(job.mode(), job.block(), job.depth()));
    if (job.small()) {
      results.add(round, contender.name(), job.metric(), "kIOPS", fio.iops() / 1e3);
    } else {
      results.add(round, contender.name(), job.metric(), "MB/s", fio.megabytes());
    }
    results.add(round, contender.name(), job.metric() + P99, "µs", fio.p99());
  }

  /** What the thread of a connection allocates, JFR says: whole buffers, so that 0 is nothing. */
  private static void allocations(
      Bench bench, Results results, int round, Station station, Contender contender, String mode)
      throws IOException {
    double seconds = bench.pick(1.5, 0.2);
    station.tell("record");
    Programs.NbdFio fio =
        Programs.nbdFio(
            contender.uri(), seconds, "--rw=%s --bs=4k --iodepth=32 --size=100%%".formatted(mode));
    long bytes = station.tell("allocated threads=r3map-nbd").number("bytes");
    results.add(
        round, contender.name(), ALLOCATED + ", " + mode, "bytes", bytes / (fio.iops() * seconds));
  }

  /** Of elliptic curves, for both. */
  private static Path certificates(Bench bench) throws IOException {
    Path folder = Files.createDirectory(bench.newFile("certificates"));
    String script =
        """
        set -e
        cd "$1"
        curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        openssl req -x509 $curve -keyout ca-key.pem -out ca-cert.pem -subj /CN=bench -days 2
        openssl req $curve -keyout server-key.pem -out server.csr -subj /CN=localhost
        printf 'subjectAltName=DNS:localhost' > names
        openssl x509 -req -in server.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial \\
          -extfile names -out server-cert.pem -days 2
        """;
    Programs.run(LIMIT, "sh", "-c", script, "certificates", folder.toString());
    return folder;
  }

  private static String name(String who, String way) {
    return "%s, %s".formatted(who, way);
  }

  private static int port(String uri) {
    return java.net.URI.create(uri).getPort();
  }

  @Override
  public String markdown(Results results) {
    Markdown text = new Markdown();
    text.paragraph(
        "A GiB in memory, one connection at a time, fio's engine `nbd` (libnbd) and `nbdcopy` as"
            + " clients. nbdkit is Debian's, with its memory plugin. The client takes the other half"
            + " of the two processors, and most of the time of small requests.");
    List<String> contenders = new ArrayList<>();
    for (String way : List.of("Unix", "TCP", TLS)) {
      contenders.add(name(OURS, way));
      contenders.add(name(THEIRS, way));
    }
    text.medians(results, new ArrayList<>(results.metrics()), contenders);
    text.paragraph(
        "On two processors the client has one of them. fio is busy on it all the time with 100 000"
            + " small requests a second over TCP, and with 150 000 over a Unix socket; nbdcopy"
            + " decrypts 1.1 GB/s with it; and loopback TCP carries little more than 4 GB/s. Where a"
            + " figure is near one of these, it is not the server that limits it.");
    Markdown.Targets targets = new Markdown.Targets();
    for (String way : PLAIN) {
      for (String metric : List.of(READ_32, WRITE_32)) {
        ratio(targets, results, way, metric, 1.5);
      }
      for (String metric : List.of(READ_1M, WRITE_1M)) {
        ratio(targets, results, way, metric, 1.3);
      }
      for (Job job : JOBS) {
        String metric = job.metric() + P99;
        targets.atMost(
            "%s, %s: r3map / nbdkit".formatted(way, metric),
            results.ratio(name(OURS, way), name(THEIRS, way), metric),
            1);
      }
      for (String metric : List.of(COPY_OUT, COPY_IN)) {
        ratio(targets, results, way, metric, 1);
      }
    }
    ratio(targets, results, TLS, COPY_OUT, 1.5);
    for (String mode : List.of("randread", "randwrite")) {
      String metric = ALLOCATED + ", " + mode;
      targets.atMost(
          "Unix, " + metric + ", bytes", results.median(name(OURS, "Unix"), metric), 0.5);
    }
    return text.targets(targets).toString();
  }

  private static void ratio(
      Markdown.Targets targets, Results results, String way, String metric, double wanted) {
    targets.atLeast(
        "%s, %s: r3map / nbdkit".formatted(way, metric),
        results.ratio(name(OURS, way), name(THEIRS, way), metric),
        wanted);
  }
}
