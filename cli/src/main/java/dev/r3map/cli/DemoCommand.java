package dev.r3map.cli;

import dev.r3map.backend.Sizes;
import dev.r3map.cli.args.DurationConverter;
import dev.r3map.cli.args.ProgressOption;
import dev.r3map.cli.args.SizeConverter;
import dev.r3map.cli.demo.NoiseBackend;
import dev.r3map.cli.demo.Programs;
import dev.r3map.cli.demo.Stage;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Human;
import dev.r3map.cli.term.JsonObject;
import dev.r3map.cli.term.ProgressLine;
import dev.r3map.cli.term.StopSignal;
import dev.r3map.linux.Fuse;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Shows in one process what r3map does between two hosts. */
@Command(
    name = "demo",
    header = "Show what r3map does: serve, mount and read, all on this host.",
    description = {
      "",
      "Serves a resource over the network stack of this host, but answers as late as if it were far"
          + " away; mounts it, and lets other programs read it while it is being pulled. On a"
          + " terminal the file stays until Ctrl-C. Nothing is left behind.",
      ""
    },
    footerHeading = "%n@|bold Examples|@%n",
    footer = {"  r3map demo", "  r3map demo --size 1GiB --rtt 100ms --once"})
final class DemoCommand extends ConsoleCommand {
  private static final long MOST_BYTES = 1L << 40;
  private static final int BLOCK = 4096;
  private static final int DIGEST_BUFFER = 1 << 20;

  @Option(
      names = "--size",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description = "Size of the resource. Default: 256MiB.")
  private long size = 256L << 20;

  @Option(
      names = "--rtt",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      description = "How far away it is. Default: 20ms.")
  private Duration rtt = Duration.ofMillis(20);

  @Option(names = "--once", description = "Do not wait for Ctrl-C at the end.")
  private boolean once;

  @Mixin private ProgressOption progress;

  @Override
  int run(Console console) throws Exception {
    if (size < 2 * BLOCK || size > MOST_BYTES) {
      throw new IllegalArgumentException("--size takes 8KiB to 1TiB, not " + Sizes.format(size));
    }
    Optional<String> unavailable = Fuse.unavailable();
    if (unavailable.isPresent()) {
      throw new CommandFailure("there can be no mount here: " + unavailable.get());
    }
    StopSignal stop =
        StopSignal.install(ExitCode.INTERRUPTED).onFirst(Thread.currentThread()::interrupt);
    NoiseBackend resource = new NoiseBackend(size);
    try (Stage stage = new Stage(resource, rtt)) {
      perform(console, stage, resource);
      if (!once && !console.usesJson() && Console.isTerminal()) {
        stop.onFirst(() -> {});
        stay(console, stop, stage);
      }
    } catch (InterruptedException | InterruptedIOException e) {
      throw CommandFailure.interrupted("interrupted; everything was removed");
    }
    return ExitCode.OK;
  }

  private void perform(Console console, Stage stage, NoiseBackend resource)
      throws IOException, InterruptedException, CommandFailure {
    tell(
        console,
        "This process serves %s at %s,".formatted(Human.bytes(size), stage.uri()),
        "and answers each request %s late, as if it were far away.".formatted(Human.duration(rtt)),
        "It has also mounted that, in %s, as a file that every program can use:"
            .formatted(Human.duration(stage.mountTime())),
        "  " + stage.file(),
        "");
    Programs.Run first = Programs.readBlock(stage.file(), 0);
    Programs.Run middle = Programs.readBlock(stage.file(), size / BLOCK / 2);
    tell(
        console,
        "dd has read its first 4 KiB after %s,".formatted(Human.duration(first.time())),
        "and 4 KiB in its middle after %s; %d %% of it were here by then."
            .formatted(
                Human.duration(middle.time()),
                (int) (100 * stage.region().progress().fractionLocal())),
        "",
        "Now sha256sum reads all of it, while it is still being pulled.");
    Programs.Run cold;
    try (var _ =
        progress.show(
            console,
            () -> {
              var local = stage.region().progress();
              return new ProgressLine.State(local.local(), local.size(), "pulled");
            })) {
      cold = Programs.checksum(stage.file());
    }
    Programs.Run warm = Programs.checksum(stage.file());
    String expected = checksum(resource);
    if (!cold.output().equals(expected) || !warm.output().equals(expected)) {
      throw new CommandFailure(
          "the checksums differ: %s at the server, %s and %s here; please report this"
              .formatted(expected, cold.output(), warm.output()));
    }
    tell(
        console,
        "That took %s (%s). Again, now that all of it is here: %s."
            .formatted(
                Human.duration(cold.time()),
                Human.rate(size, cold.time()),
                Human.duration(warm.time())),
        "Both times the checksum was that of the served bytes, %s..."
            .formatted(expected.substring(0, 16)));
    console.event(() ->
        JsonObject.event("demo")
            .with("size", size)
            .with("rttSeconds", seconds(rtt))
            .with("mountSeconds", seconds(stage.mountTime()))
            .with("firstReadSeconds", seconds(first.time()))
            .with("middleReadSeconds", seconds(middle.time()))
            .with("readAllSeconds", seconds(cold.time()))
            .with("readAgainSeconds", seconds(warm.time()))
            .with("sha256", expected));
  }

  private static void tell(Console console, String... lines) {
    if (!console.usesJson()) {
      console.result(String.join(System.lineSeparator(), lines));
    }
  }

  private static double seconds(Duration time) {
    return time.toNanos() / 1e9;
  }

  private static String checksum(NoiseBackend resource) {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
    ByteBuffer buffer = ByteBuffer.allocate(DIGEST_BUFFER);
    for (long at = 0; at < resource.size(); at += DIGEST_BUFFER) {
      buffer.clear().limit((int) Math.min(DIGEST_BUFFER, resource.size() - at));
      resource.read(buffer, at);
      digest.update(buffer.flip());
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static void stay(Console console, StopSignal stop, Stage stage)
      throws InterruptedException {
    tell(
        console,
        "",
        "The file stays until you press Ctrl-C. In another terminal, for example:",
        "  ls -l %s".formatted(stage.file()),
        "  tail -c 64 %s | od -A d -t x1".formatted(stage.file()));
    stop.await();
  }
}
