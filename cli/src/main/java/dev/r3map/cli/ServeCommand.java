package dev.r3map.cli;

import dev.r3map.backend.Backend;
import dev.r3map.cli.args.DurationConverter;
import dev.r3map.cli.args.ListenerOptions;
import dev.r3map.cli.args.Resource;
import dev.r3map.cli.args.ResourceConverter;
import dev.r3map.cli.args.SizeConverter;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Human;
import dev.r3map.cli.term.JsonObject;
import dev.r3map.cli.term.StopSignal;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Serves a resource to other hosts. */
@Command(
    name = "serve",
    header = "Serve a resource to other hosts.",
    description = {
      "",
      "Whoever can connect can read it, and write it unless --read-only: beyond this host there"
          + " should be TLS and a token or client certificates. The command runs until Ctrl-C or"
          + " SIGTERM; then it makes everything durable and exits with 0.",
      ""
    },
    footerHeading = "%n@|bold Examples|@%n",
    footer = {
      "  r3map serve ./disk.img",
      "  r3map serve ./film.mp4 --read-only --listen grpc+unix:///run/user/1000/film.sock",
      "  r3map serve new.img --create 10GiB --rtt 20ms    # feels like another continent",
      "  R3MAP_TOKEN=$(cat secret) r3map serve ./disk.img --listen grpcs://0.0.0.0:1337 \\",
      "      --tls-cert server.pem --tls-key server.key",
    })
final class ServeCommand extends ConsoleCommand {
  @Parameters(
      paramLabel = "RESOURCE",
      converter = ResourceConverter.class,
      description = "A URI, or the path of a file.")
  private Resource resource;

  @Option(
      names = {"-r", "--read-only"},
      description = "Refuse writes.")
  private boolean readOnly;

  @Option(
      names = "--create",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description = "Make the file, of this size and full of zeros, if it is not there.")
  private @Nullable Long create;

  @Option(
      names = "--rtt",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      description = "For trials: answer each request this much later.")
  private Duration rtt = Duration.ZERO;

  @ArgGroup(validate = false, heading = "%n@|bold Listening|@%n")
  private ListenerOptions listener = new ListenerOptions();

  private final LongAdder received = new LongAdder();
  private final LongAdder sent = new LongAdder();

  @Override
  int run(Console console) throws Exception {
    StopSignal stop = StopSignal.install(ExitCode.INTERRUPTED);
    BackendOptions options = BackendOptions.DEFAULT.withReadOnly(readOnly);
    if (create != null) {
      options = options.withCreate(create);
    }
    try (Backend backend = resource.open(options)) {
      try (GrpcServer server =
          listener
              .applyTo(GrpcServer.serve(backend))
              .readOnly(readOnly)
              .roundTrip(rtt)
              .observer((operation, in, out, ok) -> count(in, out))
              .start()) {
        sayReady(console, server, backend);
        stop.onFirst(() -> console.say("stopping"));
        stop.await();
      }
      if (!readOnly && !backend.geometry().readOnly()) {
        backend.sync();
      }
    }
    sayStopped(console);
    return ExitCode.OK;
  }

  private void count(long in, long out) {
    received.add(in);
    sent.add(out);
  }

  private void sayReady(Console console, GrpcServer server, Backend backend) throws IOException {
    long size = backend.size();
    boolean writable = !readOnly && !backend.geometry().readOnly();
    console.event(() ->
        JsonObject.event("ready")
            .with("listen", server.uri().toString())
            .with("resource", resource.toString())
            .with("size", size)
            .with("readOnly", !writable)
            .with("pid", ProcessHandle.current().pid()));
    console.say(
        "serving %s (%s, %s) at %s; Ctrl-C ends that"
            .formatted(
                resource,
                Human.bytes(size),
                writable ? "read and write" : "read only",
                server.uri()));
  }

  private void sayStopped(Console console) {
    console.event(() ->
        JsonObject.event("stopped").with("sent", sent.sum()).with("received", received.sum()));
    console.say(
        "served %s, and took %s".formatted(Human.bytes(sent.sum()), Human.bytes(received.sum())));
  }
}
