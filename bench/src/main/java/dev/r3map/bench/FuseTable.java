package dev.r3map.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** How fast a file is whose bytes are all here: the path through FUSE itself. */
final class FuseTable implements Table {
  private static final String R3MAP = "r3map";
  private static final String READ_ONLY = "r3map read-only";
  private static final String DIRECT = "r3map direct";
  private static final String MEMFS = "libfuse in C";
  private static final String NBDFUSE = "nbdfuse";
  private static final String TMPFS = "tmpfs";

  private static final String DIRECT_4K = "4 KiB random O_DIRECT p50";
  private static final String COLD_4K = "4 KiB random cold p50";
  private static final String DIRECT_1M = "1 MiB sequential O_DIRECT";
  private static final String COLD_1M = "1 MiB sequential cold";
  private static final String WARM_1M = "1 MiB sequential warm";
  private static final String MMAP_FAULT = "mmap fault cold p50";
  private static final String WRITE_4K = "write 4 KiB";
  private static final String WRITE_1M = "write 1 MiB";

  private record Contender(String name, Path file, boolean writable) {}

  @Override
  public String name() {
    return "fuse";
  }

  @Override
  public String title() {
    return "The FUSE path, with all bytes local";
  }

  @Override
  public void run(Bench bench, Results results) throws IOException {
    long size = bench.pick(512, 32) * Bench.MIB;
    int rounds = bench.rounds(9);
    try (Station station = Station.start("r3map");
        Peer memfs = Peer.memfs(bench, size);
        Peer nbdfuse = Peer.nbdfuse(bench, size)) {
      bench.fill(memfs.file(), size);
      bench.fill(nbdfuse.file(), size);
      station.tell("fill id=source size=%d seed=%d", size, Bench.SEED);
      List<Contender> contenders =
          List.of(
              mount(bench, station, R3MAP, "kind=managed first=1 interval=0", true),
              new Contender(MEMFS, memfs.file(), true),
              new Contender(NBDFUSE, nbdfuse.file(), true),
              mount(bench, station, READ_ONLY, "kind=managed first=1 ro=true", false),
              mount(bench, station, DIRECT, "kind=direct", true),
              new Contender(TMPFS, bench.tmpfsFile(size), true));
      for (Contender contender : contenders) {
        bench.verify(contender.name(), contender.file(), size);
      }
      for (int round = 0; round <= rounds; round++) {
        Bench.say("fuse: round %d of %d", round, rounds);
        Round now = new Round(bench, results, round, Bench.rotated(contenders, round));
        now.reads();
        now.writes(size);
      }
      for (Contender contender : contenders) {
        bench.verify(contender.name(), contender.file(), size);
      }
    }
  }

  private static Contender mount(
      Bench bench, Station station, String name, String how, boolean writable) throws IOException {
    Path file = bench.newFile(name);
    station.tell("mount id=%s backend=source path=%s %s", file.getFileName(), file, how);
    return new Contender(name, file, writable);
  }

  /** One time through everything. */
  private record Round(Bench bench, Results results, int number, List<Contender> contenders) {
    void reads() throws IOException {
      double seconds = bench.pick(1.0, 0.2);
      for (Contender contender : contenders) {
        latency(
            contender,
            "rand %s " + seconds + " 20000 " + number + " direct",
            "4 KiB random O_DIRECT");
      }
      for (Contender contender : contenders) {
        latency(
            contender, "rand %s " + seconds + " 20000 " + number + " cold", "4 KiB random cold");
      }
      for (Contender contender : contenders) {
        throughput(contender, "seq %s 1048576 0 direct", DIRECT_1M);
      }
      for (Contender contender : contenders) {
        throughput(contender, "seq %s 1048576 0 cold", COLD_1M);
        throughput(contender, "seq %s 1048576 0", WARM_1M);
      }
      for (Contender contender : contenders) {
        throughput(contender, "mmapseq %s 0 cold", "mmap sequential cold");
        throughput(contender, "mmapseq %s 0", "mmap sequential warm");
      }
      for (Contender contender : contenders) {
        latency(
            contender, "mmaprand %s " + seconds + " 20000 " + number + " cold", "mmap fault cold");
      }
      for (Contender contender : contenders) {
        Programs.Fio fio =
            Programs.fio(
                contender.file(),
                seconds,
                "--rw=randread --bs=4k --direct=1 --ioengine=io_uring --iodepth=16");
        results.add(
            number, contender.name(), "io_uring 16 deep 4 KiB O_DIRECT", "kIOPS", fio.iops() / 1e3);
      }
    }

    void writes(long size) throws IOException {
      long small = Math.min(size, bench.pick(64, 8) * Bench.MIB);
      for (Contender contender : contenders.stream().filter(Contender::writable).toList()) {
        throughput(contender, "write %s 4096 " + small + " " + Bench.SEED, WRITE_4K);
        throughput(contender, "write %s 1048576 0 " + Bench.SEED, WRITE_1M);
      }
    }

    private void throughput(Contender contender, String command, String metric) throws IOException {
      Reply reply = bench.programs().load(command.formatted(contender.file()));
      results.add(number, contender.name(), metric, "MB/s", reply.real("mbps"));
    }

    private void latency(Contender contender, String command, String metric) throws IOException {
      Reply reply = bench.programs().load(command.formatted(contender.file()));
      results.add(number, contender.name(), metric + " p50", "µs", reply.number("p50") / 1e3);
      results.add(number, contender.name(), metric + " p99", "µs", reply.number("p99") / 1e3);
    }
  }

  @Override
  public String markdown(Results results) {
    List<String> contenders = List.of(R3MAP, MEMFS, NBDFUSE, DIRECT, READ_ONLY, TMPFS);
    Markdown text = new Markdown();
    text.paragraph(
        "`r3map` is a managed mount of a resource in memory, writable and wholly pulled, so every"
            + " request goes through FUSE; `r3map direct` has no local copy and asks the backend;"
            + " `r3map read-only` is passed through to the kernel. `libfuse in C` is"
            + " [memfs.c](../bench/peers/memfs.c), with the same options; `nbdfuse` runs on nbdkit's"
            + " memory plugin. `cold` means that the page cache was emptied before.");
    text.medians(results, new ArrayList<>(results.metrics()), contenders);
    text.paragraph(
        "Most of a small request's time goes into waking the server, and that varies by more than"
            + " what tells r3map and the C server apart: about 1 µs for the native calls of a read,"
            + " and another one for a write, which goes to the local copy by a system call because"
            + " nothing else can report that there is no room.");
    Markdown.Targets targets = new Markdown.Targets();
    for (String metric : List.of(DIRECT_4K, COLD_4K, MMAP_FAULT)) {
      targets.atLeast(metric + ": C server / r3map", results.ratio(MEMFS, R3MAP, metric), 1);
    }
    for (String metric : List.of(COLD_1M, WARM_1M, DIRECT_1M, WRITE_4K, WRITE_1M)) {
      targets.atLeast(metric + ": r3map / C server", results.ratio(R3MAP, MEMFS, metric), 1);
    }
    for (String metric : List.of(DIRECT_4K, COLD_4K)) {
      targets.atLeast(metric + ": nbdfuse / r3map", results.ratio(NBDFUSE, R3MAP, metric), 4);
    }
    return text.targets(targets).toString();
  }
}
