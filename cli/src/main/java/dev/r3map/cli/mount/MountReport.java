package dev.r3map.cli.mount;

import dev.r3map.Progress;
import dev.r3map.Region;
import dev.r3map.cli.args.ProgressOption;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Human;
import dev.r3map.cli.term.JsonObject;
import dev.r3map.cli.term.ProgressLine;
import java.nio.file.Path;
import java.time.Duration;

/** What is said of a mount to people and to machines. Used by one thread at a time. */
final class MountReport {
  private static final Duration EVENT_PAUSE = Duration.ofSeconds(1);

  private final Console console;
  private final Region region;
  private final Path path;
  private final long begun = System.nanoTime();

  private ProgressOption.Shown line = () -> {};
  private boolean pullSeen;
  private boolean localSeen;
  private long lastEvent = begun;
  private Progress lastProgress;

  MountReport(Console console, Region region, Path path) {
    this.console = console;
    this.region = region;
    this.path = path;
    this.lastProgress = region.progress();
  }

  /** Shows a progress bar, if that is wanted, for as long as there is background pull. */
  void showProgress(ProgressOption wanted) {
    if (region.progress().pulling()) {
      pullSeen = true;
      line = wanted.show(console, () -> state(region.progress()));
    }
  }

  private static ProgressLine.State state(Progress progress) {
    String note =
        progress.dirty() == 0 ? "" : "%s to push".formatted(Human.bytes(progress.dirty()));
    return new ProgressLine.State(progress.local(), progress.size(), note);
  }

  /**
   * The path can be used.
   *
   * @param ending how that can be ended
   */
  void mounted(String mode, String ending) {
    Duration time = elapsed();
    console.event(() ->
        JsonObject.event("mounted")
            .with("path", path.toString())
            .with("resource", region.toString())
            .with("size", region.size())
            .with("readOnly", region.readOnly())
            .with("mode", mode)
            .with("pid", ProcessHandle.current().pid())
            .with("seconds", time.toNanos() / 1e9));
    console.say(
        "%s is now %s (%s, %s); %s"
            .formatted(
                path,
                region,
                Human.bytes(region.size()),
                region.readOnly() ? "read only" : "read and write",
                ending));
  }

  /** Says what has changed since the last time; to be called every now and then. */
  void update() {
    Progress progress = region.progress();
    boolean local = progress.local() == progress.size();
    if (pullSeen && !progress.pulling()) {
      pullSeen = false;
      hideProgress();
      if (local) {
        Duration time = elapsed();
        console.say(
            "all of it is local now, after %s (%s)"
                .formatted(Human.duration(time), Human.rate(progress.size(), time)));
      }
    }
    long now = System.nanoTime();
    boolean due = now - lastEvent >= EVENT_PAUSE.toNanos() && !progress.equals(lastProgress);
    if (due || (local && !localSeen)) {
      console.event(() -> event("progress", progress));
      lastEvent = now;
      lastProgress = progress;
    }
    if (local && !localSeen) {
      localSeen = true;
      console.event(() ->
          JsonObject.event("local")
              .with("size", progress.size())
              .with("seconds", elapsed().toNanos() / 1e9));
    }
  }

  void hideProgress() {
    line.close();
    line = () -> {};
  }

  void synced() {
    console.event(() -> event("sync", region.progress()));
  }

  void unmounted(long notPushed, boolean forced) {
    console.event(() ->
        JsonObject.event("unmounted")
            .with("path", path.toString())
            .with("notPushed", notPushed)
            .with("forced", forced));
  }

  private static JsonObject event(String name, Progress progress) {
    return JsonObject.event(name)
        .with("size", progress.size())
        .with("local", progress.local())
        .with("dirty", progress.dirty())
        .with("pulling", progress.pulling());
  }

  private Duration elapsed() {
    return Duration.ofNanos(System.nanoTime() - begun);
  }
}
