package dev.r3map.cli;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.Sizes;
import dev.r3map.cli.args.ConnectionOptions;
import dev.r3map.cli.args.Resource;
import dev.r3map.cli.args.ResourceConverter;
import dev.r3map.cli.copy.Usage;
import dev.r3map.cli.info.ExtentMap;
import dev.r3map.cli.info.NbdFacts;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Human;
import dev.r3map.cli.term.JsonObject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows what a resource says of itself. */
@Command(
    name = "info",
    header = "Show the size and other properties of a resource.",
    description = {
      "",
      "Opens the resource, reads a few KiB to see how far away it is, and asks for its holes, for"
          + " two seconds at most. Changes nothing.",
      ""
    },
    footerHeading = "%n@|bold Examples|@%n",
    footer = {
      "  r3map info ./disk.img",
      "  r3map info grpc://127.0.0.1:1337 --json",
      "  r3map info nbd://127.0.0.1:10809/disk --map",
    })
final class InfoCommand extends ConsoleCommand {
  private static final Duration SCAN_TIME = Duration.ofSeconds(2);
  private static final int PROBES = 5;
  private static final int PROBE_BYTES = 4096;

  @Parameters(
      paramLabel = "RESOURCE",
      converter = ResourceConverter.class,
      description = "A URI, or the path of a file.")
  private Resource resource;

  @Option(
      names = "--map",
      description = "Show each run of data and each hole: offset, length and kind.")
  private boolean map;

  @ArgGroup(validate = false, heading = "%n@|bold Connection|@%n")
  private ConnectionOptions connection = new ConnectionOptions();

  private record Facts(
      long size,
      Geometry geometry,
      Optional<String> identity,
      Duration opening,
      Optional<Duration> latency,
      Usage usage,
      Optional<NbdFacts> nbd,
      Optional<ExtentMap> map) {}

  @Override
  int run(Console console) throws Exception {
    long begun = System.nanoTime();
    try (Backend backend = resource.open(connection.backendOptions())) {
      Duration opening = Duration.ofNanos(System.nanoTime() - begun);
      Facts facts =
          new Facts(
              backend.size(),
              backend.geometry(),
              backend.identity(),
              opening,
              latency(backend, backend.geometry()),
              Usage.of(backend, SCAN_TIME),
              NbdFacts.of(backend),
              map ? Optional.of(ExtentMap.of(backend)) : Optional.empty());
      console.result(console.usesJson() ? json(facts) : text(facts));
    }
    return ExitCode.OK;
  }

  /** The median of a few small reads; none of an empty resource. */
  private static Optional<Duration> latency(Backend backend, Geometry geometry) throws IOException {
    int length = (int) Math.min(backend.size(), Math.max(PROBE_BYTES, geometry.requiredChunk()));
    if (length == 0) {
      return Optional.empty();
    }
    ByteBuffer buffer = ByteBuffer.allocateDirect(length);
    long[] nanos = new long[PROBES];
    for (int i = 0; i < PROBES; i++) {
      long begun = System.nanoTime();
      backend.read(buffer.clear(), 0);
      nanos[i] = System.nanoTime() - begun;
    }
    Arrays.sort(nanos);
    return Optional.of(Duration.ofNanos(nanos[PROBES / 2]));
  }

  private String json(Facts facts) {
    Geometry geometry = facts.geometry();
    Usage usage = facts.usage();
    JsonObject json =
        new JsonObject()
            .with("resource", resource.toString())
            .with("size", facts.size())
            .with("readOnly", geometry.readOnly())
            .with("requiredChunk", geometry.requiredChunk())
            .with("preferredChunk", geometry.preferredChunk())
            .with("maxTransfer", geometry.maxTransfer())
            .withAny("identity", facts.identity())
            .with(
                "usage",
                new JsonObject()
                    .with("scanned", usage.scanned())
                    .with("data", usage.data())
                    .with("holes", usage.holes()))
            .with("openSeconds", facts.opening().toNanos() / 1e9);
    facts.latency().ifPresent(time -> json.with("latencySeconds", time.toNanos() / 1e9));
    facts.nbd().ifPresent(nbd -> json.with("nbd", nbd.json()));
    facts.map().ifPresent(map -> json.with("map", map.json()));
    return json.toString();
  }

  private String text(Facts facts) {
    StringBuilder text = new StringBuilder();
    line(text, "resource", resource.toString());
    line(text, "size", "%s (%d bytes)".formatted(Human.bytes(facts.size()), facts.size()));
    line(text, "access", facts.geometry().readOnly() ? "read only" : "read and write");
    line(text, "usage", usage(facts.usage(), facts.size()));
    line(text, "transfer", transfer(facts.geometry()));
    facts.nbd().ifPresent(nbd -> lines(text, nbd));
    line(text, "identity", facts.identity().orElse("none: changes by others are not noticed"));
    String read = facts.latency().map(time -> ", a small read " + Human.duration(time)).orElse("");
    line(text, "latency", "opening %s%s".formatted(Human.duration(facts.opening()), read));
    facts.map().ifPresent(map -> text.append(map.text()));
    return text.toString().stripTrailing();
  }

  private static void lines(StringBuilder text, NbdFacts nbd) {
    line(text, "protocol", "NBD, " + nbd.protocol());
    line(text, "features", String.join(", ", nbd.features()));
    if (!nbd.description().isEmpty()) {
      line(text, "says", nbd.description());
    }
    if (!nbd.exports().isEmpty()) {
      line(text, "exports", String.join(", ", nbd.exports()));
    }
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append("%-9s %s%n".formatted(name, value));
  }

  private static String usage(Usage usage, long size) {
    String said =
        "%s data, %s holes".formatted(Human.bytes(usage.data()), Human.bytes(usage.holes()));
    return usage.scanned() == size
        ? said
        : said + " in the first " + Human.bytes(usage.scanned()) + "; that took too long";
  }

  private static String transfer(Geometry geometry) {
    StringBuilder text = new StringBuilder();
    text.append(
        geometry.requiredChunk() == 1
            ? "any bytes"
            : "whole chunks of " + Sizes.format(geometry.requiredChunk()));
    if (geometry.preferredChunk() != 0) {
      text.append(", best " + Sizes.format(geometry.preferredChunk()));
    }
    if (geometry.maxTransfer() != Integer.MAX_VALUE) {
      text.append(", at most " + Sizes.format(geometry.maxTransfer()));
    }
    return text.append(" at once").toString();
  }
}
