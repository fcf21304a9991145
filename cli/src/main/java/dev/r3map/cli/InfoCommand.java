package dev.r3map.cli;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.Sizes;
import dev.r3map.cli.args.ConnectionOptions;
import dev.r3map.cli.args.Resource;
import dev.r3map.cli.args.ResourceConverter;
import dev.r3map.cli.copy.Usage;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Human;
import dev.r3map.cli.term.JsonObject;
import dev.r3map.nbd.NbdBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
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
      "  r3map info nbd://127.0.0.1:10809/disk",
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

  @ArgGroup(validate = false, heading = "%n@|bold Connection|@%n")
  private ConnectionOptions connection = new ConnectionOptions();

  @Override
  int run(Console console) throws Exception {
    long begun = System.nanoTime();
    try (Backend backend = resource.open(connection.backendOptions())) {
      Duration opening = Duration.ofNanos(System.nanoTime() - begun);
      long size = backend.size();
      Geometry geometry = backend.geometry();
      Optional<String> identity = backend.identity();
      Optional<Duration> latency = latency(backend, geometry);
      Usage usage = Usage.of(backend, SCAN_TIME);
      String shown =
          console.usesJson()
              ? json(size, geometry, identity, opening, latency, usage, protocol(backend))
              : text(size, geometry, identity, opening, latency, usage, protocol(backend));
      console.result(shown);
    }
    return ExitCode.OK;
  }

  /** What was agreed on with an NBD server, which may be of any age. */
  private static Optional<String> protocol(Backend backend) {
    return backend instanceof NbdBackend nbd
        ? Optional.of("NBD, " + nbd.protocol())
        : Optional.empty();
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

  private String json(
      long size,
      Geometry geometry,
      Optional<String> identity,
      Duration opening,
      Optional<Duration> latency,
      Usage usage,
      Optional<String> protocol) {
    JsonObject json =
        new JsonObject()
            .with("resource", resource.toString())
            .with("size", size)
            .with("readOnly", geometry.readOnly())
            .with("requiredChunk", geometry.requiredChunk())
            .with("preferredChunk", geometry.preferredChunk())
            .with("maxTransfer", geometry.maxTransfer())
            .withAny("identity", identity)
            .with(
                "usage",
                new JsonObject()
                    .with("scanned", usage.scanned())
                    .with("data", usage.data())
                    .with("holes", usage.holes()))
            .with("openSeconds", opening.toNanos() / 1e9);
    protocol.ifPresent(words -> json.with("protocol", words));
    latency.ifPresent(time -> json.with("latencySeconds", time.toNanos() / 1e9));
    return json.toString();
  }

  private String text(
      long size,
      Geometry geometry,
      Optional<String> identity,
      Duration opening,
      Optional<Duration> latency,
      Usage usage,
      Optional<String> protocol) {
    StringBuilder text = new StringBuilder();
    line(text, "resource", resource.toString());
    line(text, "size", "%s (%d bytes)".formatted(Human.bytes(size), size));
    line(text, "access", geometry.readOnly() ? "read only" : "read and write");
    line(text, "usage", usage(usage, size));
    line(text, "transfer", transfer(geometry));
    protocol.ifPresent(words -> line(text, "protocol", words));
    line(text, "identity", identity.orElse("none: changes by others are not noticed"));
    String read = latency.map(time -> ", a small read " + Human.duration(time)).orElse("");
    line(text, "latency", "opening %s%s".formatted(Human.duration(opening), read));
    return text.toString().stripTrailing();
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
