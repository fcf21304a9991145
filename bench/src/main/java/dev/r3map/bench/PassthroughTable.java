package dev.r3map.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Whether a resource that is read-only and wholly here is as good as a plain file. */
final class PassthroughTable implements Table {
  private static final String R3MAP = "r3map";
  private static final String CACHED = "r3map without passthrough";
  private static final String TMPFS = "tmpfs";

  private record Contender(String name, Path file) {}

  @Override
  public String name() {
    return "local";
  }

  @Override
  public String title() {
    return "Read-only and wholly pulled, beside a plain file";
  }

  @Override
  public void run(Bench bench, Results results) throws IOException {
    long size = bench.pick(512, 32) * Bench.MIB;
    int rounds = bench.rounds(15);
    try (Station station = Station.start("r3map")) {
      station.tell("fill id=source size=%d seed=%d", size, Bench.SEED);
      for (int round = 0; round <= rounds; round++) {
        Bench.say("local: round %d of %d", round, rounds);
        // Which pages of the machine a file gets makes a difference, so each round has files anew.
        List<Contender> contenders =
            List.of(
                new Contender(TMPFS, bench.tmpfsFile(size)),
                mount(bench, station, R3MAP, "p", ""),
                mount(bench, station, CACHED, "c", "passthrough=false"));
        for (Contender contender : contenders) {
          bench.verify(contender.name(), contender.file(), size);
        }
        for (Contender contender : Bench.rotated(contenders, round)) {
          measure(bench, results, round, contender);
        }
        station.tell("unmount id=p");
        station.tell("unmount id=c");
        Files.delete(contenders.getFirst().file());
      }
    }
  }

  private static Contender mount(Bench bench, Station station, String name, String id, String words)
      throws IOException {
    Path file = bench.newFile(name);
    station.tell("mount id=%s backend=source path=%s first=1 ro=true %s", id, file, words);
    return new Contender(name, file);
  }

  private static void measure(Bench bench, Results results, int round, Contender contender)
      throws IOException {
    Path file = contender.file();
    String name = contender.name();
    Programs programs = bench.programs();
    double seconds = bench.pick(0.3, 0.1);
    Reply random = programs.load("rand %s %s 0 %d".formatted(file, seconds, round));
    results.add(round, name, "4 KiB random read", "kIOPS", random.number("iops") / 1e3);
    results.add(round, name, "4 KiB random read p50", "µs", random.number("p50") / 1e3);
    results.add(
        round,
        name,
        "1 MiB sequential read",
        "MB/s",
        programs.load("seq %s 1048576 0".formatted(file)).real("mbps"));
    results.add(
        round,
        name,
        "mmap touch of a new mapping",
        "MB/s",
        programs.load("mmapseq %s 0".formatted(file)).real("mbps"));
    results.add(
        round,
        name,
        "mmap touch again",
        "MB/s",
        programs.load("mmapseq %s 0 twice".formatted(file)).real("mbps"));
    results.add(
        round,
        name,
        "mmap random touch",
        "kIOPS",
        programs.load("mmaprand %s %s 0 %d".formatted(file, seconds, round)).number("iops") / 1e3);
    results.add(
        round,
        name,
        "fio psync 4 KiB random",
        "kIOPS",
        Programs.fio(file, seconds, "--rw=randread --bs=4k --ioengine=psync --invalidate=0").iops()
            / 1e3);
    results.add(
        round,
        name,
        "fio mmap 4 KiB random",
        "kIOPS",
        Programs.fio(file, seconds, "--rw=randread --bs=4k --ioengine=mmap --invalidate=0").iops()
            / 1e3);
  }

  @Override
  public String markdown(Results results) {
    Markdown text = new Markdown();
    text.paragraph(
        "A read-only managed mount of which every byte is local is handed to the kernel"
            + " (passthrough), which reads the local copy itself. Without passthrough (another user"
            + " than root, an older kernel) the pulled bytes are in the page cache.");
    text.medians(results, new ArrayList<>(results.metrics()), List.of(TMPFS, R3MAP, CACHED));
    Markdown.Targets targets = new Markdown.Targets();
    for (String metric : results.metrics()) {
      if (!results.unit(metric).equals("µs")) {
        targets.atLeast(metric + ": r3map / tmpfs", results.ratio(R3MAP, TMPFS, metric), 0.9);
      }
    }
    return text.targets(targets).toString();
  }
}
