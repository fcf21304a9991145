package dev.r3map.cli.args;

import dev.r3map.Durability;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What only a managed mount has. Null is what the library has as its default. */
public final class PullPushOptions {
  @Option(
      names = "--cache",
      paramLabel = "FILE",
      description = {
        "Keep the local bytes in this file, and their state in FILE.journal, so that they survive a"
            + " crash. Default: memory."
      })
  public @Nullable Path cache;

  @Option(
      names = "--chunk-size",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description =
          "Unit of transfer: a power of two from 4KiB to 32MiB. Default: what the resource"
              + " prefers, else 256KiB.")
  public @Nullable Long chunkSize;

  @Option(
      names = "--pull-workers",
      paramLabel = "N",
      description =
          "Chunks pulled at once in the background; 0: only what is read. Default: as many as"
              + " make it faster.")
  public @Nullable Integer pullWorkers;

  @Option(
      names = "--pull-first",
      paramLabel = "PERCENT",
      arity = "0..1",
      fallbackValue = "100",
      preprocessor = AttachedOnly.class,
      converter = FractionConverter.class,
      description =
          "Mount only when so much is local; everything if no number is given. Default: 0.")
  public @Nullable Double pullFirst;

  @Option(
      names = "--pull-order",
      paramLabel = "FILE",
      description =
          "Pull these offsets first: one a line, in this order, such as 4096, 0x1000 or 4KiB;"
              + " # begins a comment.")
  public @Nullable Path pullOrder;

  @Option(
      names = "--push-workers",
      paramLabel = "N",
      description = "Chunks pushed at once; 0: never push. Default: 16.")
  public @Nullable Integer pushWorkers;

  @Option(
      names = "--push-interval",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      description =
          "How often to push what was written, besides at each fsync and at the end; 0: never push."
              + " Default: 20s.")
  public @Nullable Duration pushInterval;

  @Option(
      names = "--durability",
      paramLabel = "WHERE",
      description =
          "What fsync waits for: remote, or local with --cache (its disk). Default: remote.")
  public @Nullable Durability durability;

  /** Whether anything was asked for. */
  public boolean isAnySet() {
    return cache != null
        || chunkSize != null
        || pullWorkers != null
        || pullFirst != null
        || pullOrder != null
        || pushWorkers != null
        || pushInterval != null
        || durability != null;
  }
}
