package dev.r3map.cli;

import dev.r3map.backend.Backend;
import dev.r3map.cli.args.ConnectionOptions;
import dev.r3map.cli.args.DurationConverter;
import dev.r3map.cli.args.ProgressOption;
import dev.r3map.cli.args.Resource;
import dev.r3map.cli.args.ResourceConverter;
import dev.r3map.cli.args.SizeConverter;
import dev.r3map.cli.copy.Chunking;
import dev.r3map.cli.copy.Comparer;
import dev.r3map.cli.copy.Copier;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Human;
import dev.r3map.cli.term.JsonObject;
import dev.r3map.cli.term.ProgressLine;
import dev.r3map.cli.term.StopSignal;
import dev.r3map.cli.term.Ticker;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Copies a resource to another one. */
@Command(
    name = "copy",
    header = "Copy a resource to another one.",
    description = {
      "",
      "Both may be of any kind and have the same size; a file that is not there is made. Zeros are"
          + " not transferred: they become holes, and what is sparse stays so. What was copied is"
          + " durable when the command returns. If it fails, a file that it made is removed.",
      ""
    },
    footerHeading = "%n@|bold Examples|@%n",
    footer = {
      "  r3map copy grpc://127.0.0.1:1337 ./copy.img --verify",
      "  r3map copy ./disk.img grpc://127.0.0.1:1337 --progress",
      "  r3map copy nbd://127.0.0.1:10809/disk ./disk.img",
      "  r3map copy ./disk.img memory:                    # how fast can it be read?",
    })
final class CopyCommand extends ConsoleCommand {
  /**
   * With chunks of 1 MiB: as much on the way as 1 Gbit/s holds at 130 ms, and no more memory than
   * that.
   */
  private static final int DEFAULT_WORKERS = 16;

  private static final int MOST_WORKERS = 1024;

  private static final Duration EVENT_PAUSE = Duration.ofSeconds(1);

  @Parameters(index = "0", paramLabel = "SRC", converter = ResourceConverter.class)
  private Resource source;

  @Parameters(
      index = "1",
      paramLabel = "DST",
      converter = ResourceConverter.class,
      description = "URIs, or paths of files.")
  private Resource target;

  @Option(
      names = "--workers",
      paramLabel = "N",
      defaultValue = "" + DEFAULT_WORKERS,
      description = "Chunks on the way at once. Default: ${DEFAULT-VALUE}.")
  private int workers = DEFAULT_WORKERS;

  @Option(
      names = "--chunk-size",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description = "Bytes of one transfer. Default: 1MiB.")
  private @Nullable Long chunkSize;

  @Option(
      names = "--verify",
      description = "Read both sides again afterwards and compare them, byte by byte.")
  private boolean verify;

  @Option(
      names = "--io-timeout",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      defaultValue = "30s",
      description = "For how long to try again when a transfer fails. Default: ${DEFAULT-VALUE}.")
  private Duration ioTimeout = Duration.ofSeconds(30);

  @Mixin private ProgressOption progress;

  @ArgGroup(validate = false, heading = "%n@|bold Connection|@, of both%n")
  private ConnectionOptions connection = new ConnectionOptions();

  @Override
  int run(Console console) throws Exception {
    if (workers < 1 || workers > MOST_WORKERS) {
      throw new IllegalArgumentException(
          "--workers takes a number from 1 to %d, not %d".formatted(MOST_WORKERS, workers));
    }
    requireDifferentFiles();
    StopSignal.install(ExitCode.INTERRUPTED).onFirst(Thread.currentThread()::interrupt);
    try {
      copy(console);
    } catch (InterruptedException | InterruptedIOException e) {
      throw CommandFailure.interrupted("interrupted: %s is incomplete".formatted(target));
    }
    return ExitCode.OK;
  }

  private void requireDifferentFiles() throws IOException {
    Path from = source.file().orElse(null);
    Path to = target.file().orElse(null);
    if (from != null && to != null && Files.exists(to) && Files.isSameFile(from, to)) {
      throw new IllegalArgumentException("%s and %s are the same file".formatted(source, target));
    }
  }

  private void copy(Console console) throws IOException, InterruptedException, CommandFailure {
    BackendOptions options = connection.backendOptions();
    try (Backend from = source.open(options.withReadOnly(true))) {
      Path file = target.file().orElse(null);
      boolean created = file != null && Files.notExists(file);
      boolean complete = false;
      try (Backend to = openTarget(options, created, from.size())) {
        requireFits(from, to);
        copy(from, to, created || target.isMemory(), console);
        complete = true;
      } finally {
        if (created && !complete) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  private Backend openTarget(BackendOptions options, boolean create, long size) throws IOException {
    if (create) {
      return target.open(options.withCreate(size));
    }
    return target.open(target.isUnsizedMemory() ? options.withSize(size) : options);
  }

  private void requireFits(Backend from, Backend to) throws IOException, CommandFailure {
    if (to.geometry().readOnly()) {
      throw new CommandFailure("%s cannot be written".formatted(target));
    }
    if (from.size() != to.size()) {
      boolean regular = target.file().map(Files::isRegularFile).orElse(false);
      String remedy =
          regular
              ? "remove it, or 'truncate -s %d %s'".formatted(from.size(), target)
              : "only a target of the same size will do";
      throw new CommandFailure(
          "%s has %d bytes but %s has %d: %s"
              .formatted(source, from.size(), target, to.size(), remedy));
    }
  }

  private void copy(Backend from, Backend to, boolean targetIsZero, Console console)
      throws IOException, InterruptedException {
    int chunk = Chunking.choose(chunkSize == null ? 0 : Math.toIntExact(chunkSize), from, to);
    long size = from.size();
    long begun = System.nanoTime();
    Copier copier = new Copier(from, to, chunk, workers, targetIsZero, ioTimeout);
    try (var _ = watch(console, "copying", copier::done, size)) {
      copier.run();
    }
    Duration time = Duration.ofNanos(System.nanoTime() - begun);
    if (verify) {
      Comparer comparer = new Comparer(from, to, chunk, workers, ioTimeout);
      try (var _ = watch(console, "verifying", comparer::done, size)) {
        comparer.run();
      }
    }
    console.event(() ->
        JsonObject.event("copied")
            .with("size", size)
            .with("written", copier.written())
            .with("seconds", time.toNanos() / 1e9)
            .with("verified", verify));
    console.say(
        "copied %s in %s (%s), %s of it zeros%s"
            .formatted(
                Human.bytes(size),
                Human.duration(time),
                Human.rate(size, time),
                Human.bytes(size - copier.written()),
                verify ? "; both sides are equal" : ""));
  }

  /** Shows how far it is, to people and machines. */
  private ProgressOption.Shown watch(Console console, String what, LongSupplier done, long total) {
    ProgressOption.Shown line =
        progress.show(
            console, () -> new ProgressLine.State(done.getAsLong(), total, verify ? what : ""));
    if (!console.usesJson()) {
      return line;
    }
    Ticker events =
        Ticker.every(
            EVENT_PAUSE,
            "events",
            () ->
                console.event(() ->
                    JsonObject.event("progress")
                        .with("phase", what)
                        .with("done", done.getAsLong())
                        .with("total", total)));
    return () -> {
      events.close();
      line.close();
    };
  }
}
