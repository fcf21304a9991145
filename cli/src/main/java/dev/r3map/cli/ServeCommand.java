package dev.r3map.cli;

import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.cli.args.DurationConverter;
import dev.r3map.cli.args.ListenerOptions;
import dev.r3map.cli.args.PullPushOptions;
import dev.r3map.cli.args.Served;
import dev.r3map.cli.args.SizeConverter;
import dev.r3map.cli.mount.LastPush;
import dev.r3map.cli.mount.ManagedRegions;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Human;
import dev.r3map.cli.term.JsonObject;
import dev.r3map.cli.term.StopSignal;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.nbd.NbdExport;
import dev.r3map.nbd.NbdServer;
import dev.r3map.spi.BackendOptions;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Serves resources to other hosts. */
@Command(
    name = "serve",
    header = "Serve resources to other hosts.",
    description = {
      "",
      "Whoever can connect can read it, and write it unless --read-only: beyond this host there"
          + " should be TLS and a token or client certificates. The command runs until Ctrl-C or"
          + " SIGTERM; then it makes everything durable and exits with 0.",
      "",
      "With --listen nbd://HOST:PORT any NBD client can use it (qemu, nbdcopy, nbd-client, fio), and"
          + " there may be several resources, each an export of its own. With --managed it keeps a"
          + " local copy of what is elsewhere, as a mount does: a caching proxy.",
      ""
    },
    footerHeading = "%n@|bold Examples|@%n",
    footer = {
      "  r3map serve ./disk.img",
      "  r3map serve ./film.mp4 --read-only --listen grpc+unix:///run/user/1000/film.sock",
      "  r3map serve new.img --create 10GiB --rtt 20ms    # feels like another continent",
      "  r3map serve root=disk.img data=memory:1GiB --listen nbd://127.0.0.1:10809",
      "  r3map serve grpc://127.0.0.1:1337 --managed --cache disk.cache --listen nbd+unix:///run/d.sock",
      "  R3MAP_TOKEN=$(cat secret) r3map serve ./disk.img --listen grpcs://0.0.0.0:1337 \\",
      "      --tls-cert server.pem --tls-key server.key",
    })
final class ServeCommand extends ConsoleCommand {
  @Parameters(
      arity = "1..*",
      paramLabel = "[NAME=]RESOURCE",
      converter = Served.Converter.class,
      description = {
        "A URI, or the path of a file. Of several, NBD clients choose one by its name, which is that"
            + " of the file unless one is given; those that give none get the first."
      })
  private List<Served> resources = List.of();

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

  @Option(
      names = "--managed",
      description = "NBD: keep a local copy, pull the rest and push what was written.")
  private boolean managed;

  @ArgGroup(validate = false, heading = "%n@|bold Local copy|@, with --managed%n")
  private PullPushOptions local = new PullPushOptions();

  private final LongAdder received = new LongAdder();
  private final LongAdder sent = new LongAdder();

  @Override
  int run(Console console) throws Exception {
    StopSignal stop = StopSignal.install(ExitCode.INTERRUPTED);
    BackendOptions options = BackendOptions.DEFAULT.withReadOnly(readOnly);
    if (create != null) {
      options = options.withCreate(create);
    }
    Optional<String> token = listener.resourceToken();
    if (token.isPresent()) {
      options = options.withToken(token.get());
    }
    if (managed && !listener.isNbd()) {
      throw new IllegalArgumentException("--managed needs --listen nbd://HOST:PORT");
    }
    if (local.isAnySet() && !managed) {
      throw new IllegalArgumentException("options of the local copy need --managed");
    }
    if (local.cache != null && resources.size() > 1) {
      throw new IllegalArgumentException("--cache holds one resource");
    }
    if (listener.isNbd()) {
      serveNbd(console, stop, options);
    } else {
      serveGrpc(console, stop, options);
    }
    return ExitCode.OK;
  }

  private void serveGrpc(Console console, StopSignal stop, BackendOptions options)
      throws IOException, InterruptedException {
    if (resources.size() > 1 || resources.getFirst().given().isPresent()) {
      throw new IllegalArgumentException(
          "gRPC serves one resource, without a name: use --listen nbd://HOST:PORT for several");
    }
    try (Backend backend = resources.getFirst().resource().open(options)) {
      try (GrpcServer server =
          listener
              .applyTo(GrpcServer.serve(backend))
              .readOnly(readOnly)
              .roundTrip(rtt)
              .observer((operation, in, out, ok) -> count(in, out))
              .start()) {
        awaitEnd(console, stop, server.uri(), List.of(backend));
      }
      makeDurable(backend);
    }
    console.event(() ->
        JsonObject.event("stopped").with("sent", sent.sum()).with("received", received.sum()));
    console.say(
        "served %s, and took %s".formatted(Human.bytes(sent.sum()), Human.bytes(received.sum())));
  }

  private void serveNbd(Console console, StopSignal stop, BackendOptions options) throws Exception {
    if (!rtt.isZero()) {
      throw new IllegalArgumentException("--rtt is for gRPC");
    }
    List<String> names = resources.stream().map(Served::name).toList();
    Predicate<String> tlsOnly = listener.tlsOnly(names);
    UnaryOperator<String> descriptions = listener.descriptions(names);
    List<Backend> backends = new ArrayList<>();
    List<Region> regions = new ArrayList<>();
    try {
      List<NbdExport> exports = new ArrayList<>();
      for (Served served : resources) {
        Backend backend = served.resource().open(options);
        backends.add(backend);
        NbdExport export = NbdExport.of(served.name(), backend);
        if (managed) {
          Region region =
              ManagedRegions.open(ManagedMount.on(backend).readOnly(readOnly), backend, local);
          regions.add(region);
          export = NbdExport.of(served.name(), region);
        }
        exports.add(
            export
                .withDescription(descriptions.apply(served.name()))
                .withReadOnly(readOnly)
                .withTlsOnly(tlsOnly.test(served.name())));
      }
      NbdServer.Builder builder = listener.applyTo(NbdServer.serve(exports));
      Optional<SocketChannel> client = listener.client();
      if (client.isPresent()) {
        serveOne(console, stop, builder, client.get());
      } else {
        try (NbdServer server = builder.start()) {
          awaitEnd(console, stop, server.uri(), backends);
        }
      }
      for (Region region : regions) {
        new LastPush(console, region, false).run();
      }
      for (Backend backend : backends) {
        makeDurable(backend);
      }
    } finally {
      closeAll(Stream.concat(regions.stream(), backends.stream()).toList());
    }
    console.event(() -> JsonObject.event("stopped"));
    console.say("stopped");
  }

  /** Nothing but NBD goes to standard output, which may be the client's socket too. */
  private static void serveOne(
      Console console, StopSignal stop, NbdServer.Builder builder, SocketChannel client)
      throws IOException {
    PrintStream errors = lastingErrors();
    console.moveTo(errors, errors);
    stop.onFirst(() -> {
      try {
        client.shutdownInput();
      } catch (IOException e) {
        console.error("cannot end the connection: " + e.getMessage());
      }
    });
    builder.serveOne(client);
  }

  /** Closing a socket that was inherited takes the standard streams away from Java. */
  private static PrintStream lastingErrors() {
    try {
      return new PrintStream(new FileOutputStream("/dev/fd/2"), true, StandardCharsets.UTF_8);
    } catch (IOException e) {
      // It is a socket, which cannot be opened again.
      return System.err;
    }
  }

  private static void closeAll(List<AutoCloseable> all) throws Exception {
    Exception failure = null;
    for (AutoCloseable each : all) {
      try {
        each.close();
      } catch (IOException e) {
        failure = e;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  private void awaitEnd(Console console, StopSignal stop, URI uri, List<Backend> backends)
      throws IOException, InterruptedException {
    for (int i = 0; i < backends.size(); i++) {
      sayReady(console, uri, resources.get(i), backends.get(i));
    }
    stop.onFirst(() -> console.say("stopping"));
    stop.await();
  }

  private void makeDurable(Backend backend) throws IOException {
    if (!readOnly && !backend.geometry().readOnly()) {
      backend.sync();
    }
  }

  private void count(long in, long out) {
    received.add(in);
    sent.add(out);
  }

  private void sayReady(Console console, URI uri, Served served, Backend backend)
      throws IOException {
    long size = backend.size();
    boolean writable = !readOnly && !backend.geometry().readOnly();
    console.event(() -> {
      JsonObject event =
          JsonObject.event("ready")
              .with("listen", uri.toString())
              .with("resource", served.resource().toString())
              .with("size", size)
              .with("readOnly", !writable)
              .with("pid", ProcessHandle.current().pid());
      return listener.isNbd() ? event.with("export", served.name()) : event;
    });
    console.say(
        "serving %s (%s, %s) at %s; Ctrl-C ends that"
            .formatted(
                served.resource(),
                Human.bytes(size),
                writable ? "read and write" : "read only",
                listener.isNbd() ? uri + " as " + served.name() : uri));
  }
}
