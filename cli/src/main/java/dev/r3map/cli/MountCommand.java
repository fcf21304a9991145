package dev.r3map.cli;

import dev.r3map.DirectMount;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.cli.args.ConnectionOptions;
import dev.r3map.cli.args.DurationConverter;
import dev.r3map.cli.args.ProgressOption;
import dev.r3map.cli.args.PullPushOptions;
import dev.r3map.cli.args.Resource;
import dev.r3map.cli.args.ResourceConverter;
import dev.r3map.cli.mount.Daemon;
import dev.r3map.cli.mount.ManagedRegions;
import dev.r3map.cli.mount.MountPoint;
import dev.r3map.cli.mount.MountSession;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.StopSignal;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Mounts a resource as a file. */
@Command(
    name = "mount",
    header = "Mount a resource as a file that any program can use.",
    description = {
      "",
      "The file is there at once, with its full size. What a program reads is fetched first; the"
          + " rest is pulled in the background, and then nothing waits for the network any more."
          + " What is written is pushed in the background, and at each fsync.",
      "",
      "The command runs until Ctrl-C, SIGTERM or 'umount PATH'. Then it pushes what was not pushed"
          + " yet, unmounts, and exits with 0. While the remote is away it keeps trying; a second"
          + " Ctrl-C gives up and says what was not pushed. With --cache that is kept, and pushed"
          + " when the resource is mounted with the same cache again.",
      ""
    },
    footerHeading = "%n@|bold Examples|@%n",
    footer = {
      "  r3map mount grpc://127.0.0.1:1337 ./disk.img",
      "  r3map mount grpc://127.0.0.1:1337 ./film.mp4 --read-only --pull-first=5",
      "  r3map mount grpc://127.0.0.1:1337 ./disk.img --cache disk.cache --daemon",
      "  R3MAP_TOKEN=$(cat secret) r3map mount grpcs://images.example:1337 ./disk.img",
    })
final class MountCommand extends ConsoleCommand {
  @Parameters(
      index = "0",
      paramLabel = "RESOURCE",
      converter = ResourceConverter.class,
      description = "A URI, or the path of a file.")
  private Resource resource;

  @Parameters(
      index = "1",
      paramLabel = "PATH",
      description =
          "The file to mount at: made if it is not there, hidden if it is. In a folder, a file that"
              + " is named like the resource.")
  private Path path;

  @Option(
      names = {"-r", "--read-only"},
      description = "Refuse writes; reads become faster.")
  private boolean readOnly;

  @Option(
      names = "--io-timeout",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      description =
          "How long a read waits for the remote before it fails with an input/output error."
              + " Default: 30s.")
  private Duration ioTimeout = DirectMount.DEFAULT_IO_TIMEOUT;

  @Option(
      names = "--daemon",
      description = "Return when the file can be used, and go on in the background.")
  private boolean daemon;

  @Mixin private ProgressOption progress;

  @Option(
      names = "--direct",
      description = "Keep nothing here: every read and write goes to the remote.")
  private boolean direct;

  @ArgGroup(validate = false, heading = "%n@|bold Local copy|@, unless --direct%n")
  private PullPushOptions local = new PullPushOptions();

  @ArgGroup(validate = false, heading = "%n@|bold Connection|@%n")
  private ConnectionOptions connection = new ConnectionOptions();

  private boolean mounted;

  @Override
  int run(Console console) throws Exception {
    if (direct && local.isAnySet()) {
      throw new IllegalArgumentException(
          "--direct keeps no local copy: options for pulling, pushing and the cache do not fit");
    }
    if (!ioTimeout.isPositive()) {
      throw new IllegalArgumentException("--io-timeout must be more than 0");
    }
    StopSignal stop =
        StopSignal.install(ExitCode.INTERRUPTED).onFirst(Thread.currentThread()::interrupt);
    Optional<Daemon> background = Daemon.current();
    if (daemon && background.isEmpty()) {
      return Daemon.start(console, progress.isWanted(console));
    }
    background.ifPresent(process -> progress.want(process.showsProgress()));
    try {
      mount(console, stop, background);
      return ExitCode.OK;
    } catch (IOException | InterruptedException e) {
      if (stop.isRequested() && !mounted) {
        throw CommandFailure.interrupted("interrupted before %s was mounted".formatted(path));
      }
      throw e;
    }
  }

  private void mount(Console console, StopSignal stop, Optional<Daemon> background)
      throws IOException, InterruptedException {
    BackendOptions options = connection.backendOptions().withReadOnly(readOnly);
    if (ioTimeout.compareTo(options.timeout()) < 0) {
      options = options.withTimeout(ioTimeout);
    }
    Path file = MountPoint.of(path, resource);
    try (Backend backend = resource.open(options);
        Region region = open(backend);
        MountSession session =
            new MountSession(
                console,
                stop,
                region,
                file,
                new MountSession.Settings(
                    direct,
                    Optional.ofNullable(local.cache).map(Path::toAbsolutePath),
                    ioTimeout))) {
      session.showProgress(progress);
      if (local.pullFirst != null) {
        session.pullFirst(local.pullFirst);
      }
      session.mount(
          background
              .map(process -> process.explain(file))
              .orElseGet(() -> "Ctrl-C or 'umount %s' ends that".formatted(file)));
      stop.onFirst(session::sayStopping);
      // A signal that came before has interrupted this thread; it is seen by awaitEnd as well.
      boolean _ = Thread.interrupted();
      mounted = true;
      background.ifPresent(process -> process.ready(console));
      session.awaitEnd();
      session.end();
    }
  }

  private Region open(Backend backend) throws IOException {
    if (direct) {
      return DirectMount.open(backend, readOnly, ioTimeout);
    }
    return ManagedRegions.open(
        ManagedMount.on(backend).readOnly(readOnly).ioTimeout(ioTimeout), backend, local);
  }
}
