package dev.r3map.cli.mount;

import dev.r3map.Device;
import dev.r3map.Region;
import dev.r3map.cli.args.ProgressOption;
import dev.r3map.cli.term.Console;
import dev.r3map.cli.term.Errors;
import dev.r3map.cli.term.Human;
import dev.r3map.cli.term.StopSignal;
import dev.r3map.linux.Fuse;
import dev.r3map.linux.FuseOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A mounted region, from the first pull to the last push. Owns the mount until {@link #end} or
 * {@link #close}; the region is the caller's, but {@code end} closes it.
 *
 * <p>The end comes with the first signal, or when somebody unmounts the path. Then what was written
 * is pushed, for as long as that takes: once while the path can still be used, and what was written
 * meanwhile after that. A second signal ends all waiting and says what was not pushed.
 */
public final class MountSession implements AutoCloseable {
  /** How soon an unmount from outside is noticed; there is nothing to wait on. */
  private static final Duration LOOK = Duration.ofMillis(250);

  /** The region's error must come first, for it says more. */
  private static final Duration REQUEST_MARGIN = Duration.ofSeconds(5);

  /** At a forced end: a mount that takes longer to go is taken away from outside. */
  private static final Duration FORCE_PATIENCE = Duration.ofSeconds(3);

  private final Console console;
  private final StopSignal stop;
  private final Region region;
  private final Path path;
  private final Settings settings;
  private final MountReport report;
  private final LastPush lastPush;
  private final Thread atExit = new Thread(this::closeQuietly, "unmount at exit");

  /** Held while the mount comes into being or goes away. */
  private final ReentrantLock mounting = new ReentrantLock();

  private @Nullable Device device;

  /**
   * What a session must know of the region.
   *
   * @param direct whether there is no local store
   * @param cache where the local bytes survive the process
   * @param ioTimeout how long a reader waits
   */
  public record Settings(boolean direct, Optional<Path> cache, Duration ioTimeout) {}

  /**
   * @param path absolute and without symbolic links
   */
  public MountSession(
      Console console, StopSignal stop, Region region, Path path, Settings settings) {
    this.console = console;
    this.stop = stop;
    this.region = region;
    this.path = path;
    this.settings = settings;
    this.report = new MountReport(console, region, path);
    this.lastPush = new LastPush(console, region, settings.direct());
  }

  /** Shows from now on how the background pull gets on. */
  public void showProgress(ProgressOption wanted) {
    report.showProgress(wanted);
  }

  /**
   * Waits until so much is local.
   *
   * @throws IOException if nothing comes any more for as long as the io timeout
   */
  public void pullFirst(double fraction) throws IOException, InterruptedException {
    long seen = -1;
    long since = System.nanoTime();
    while (true) {
      try {
        region.awaitLocal(fraction, LOOK);
        return;
      } catch (TimeoutException e) {
        report.update();
        long local = region.progress().local();
        if (local != seen) {
          seen = local;
          since = System.nanoTime();
        } else if (System.nanoTime() - since > settings.ioTimeout().toNanos()) {
          throw new IOException(
              "pulling first made no progress for %s: %s"
                  .formatted(Human.duration(settings.ioTimeout()), e.getMessage()),
              e);
        }
      }
    }
  }

  /**
   * Makes the region a file.
   *
   * @param ending what to say of how it is ended
   */
  public void mount(String ending) throws IOException {
    Duration request = settings.ioTimeout().plus(REQUEST_MARGIN);
    FuseOptions options = FuseOptions.DEFAULT.withRequestTimeout(request);
    if (options.flushTimeout().compareTo(request) < 0) {
      options = options.withFlushTimeout(request);
    }
    Runtime.getRuntime().addShutdownHook(atExit);
    stop.onSecond(this::force);
    mounting.lock();
    try {
      device = Fuse.attach(region, path, options);
    } finally {
      mounting.unlock();
    }
    report.mounted(settings.direct() ? "direct" : "managed", ending);
  }

  /** Waits for a signal, or until the path is not mounted any more. */
  public void awaitEnd() throws IOException, InterruptedException {
    while (!stop.await(LOOK)) {
      report.update();
      if (!Unmounts.isMounted(path)) {
        console.say("%s was unmounted".formatted(path));
        return;
      }
    }
  }

  /**
   * Pushes, unmounts and closes the region.
   *
   * @throws IOException if not everything was pushed; says what became of it
   */
  public void end() throws IOException, InterruptedException {
    report.hideProgress();
    stop.nextForces();
    lastPush.run();
    closeDevice();
    lastPush.run();
    report.synced();
    long kept = region.progress().dirty();
    region.close();
    if (kept > 0) {
      console.say("%s were not pushed, as asked, and are %s".formatted(Human.bytes(kept), fate()));
    }
    report.unmounted(kept, false);
  }

  /** What to say when the first signal comes. */
  public void sayStopping() {
    long dirty = region.progress().dirty();
    console.say(
        dirty == 0
            ? "unmounting"
            : "pushing %s, then unmounting; Ctrl-C again gives up".formatted(Human.bytes(dirty)));
  }

  /** Ends at once, while another thread may be stuck in {@link #end}. */
  private void force() {
    try {
      Thread unmounting = Thread.ofPlatform().daemon().start(this::closeQuietly);
      unmounting.join(FORCE_PATIENCE);
      if (Unmounts.isMounted(path)) {
        Unmounts.force(path);
      }
    } catch (IOException e) {
      console.error(Errors.describe(e));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    long left = lastPush.left();
    report.unmounted(left, true);
    if (settings.direct()) {
      console.error("gave up waiting for the remote; what it has is uncertain");
    } else if (left > 0) {
      console.error(
          "gave up: %d bytes (%s) were not pushed and are %s"
              .formatted(left, Human.bytes(left), fate()));
    } else {
      console.error(
          "gave up waiting; everything was pushed, but the remote did not confirm a sync");
    }
  }

  private String fate() {
    return settings
        .cache()
        .map(file -> "kept in %s: mount again with --cache %s to push them".formatted(file, file))
        .orElse("lost, because there is no --cache");
  }

  /** Takes the mount away if there is one; the region stays open. */
  @Override
  public void close() throws IOException {
    report.hideProgress();
    closeDevice();
    try {
      boolean _ = Runtime.getRuntime().removeShutdownHook(atExit);
    } catch (IllegalStateException e) {
      // The process ends already, and the hook finds nothing to do.
      return;
    }
  }

  private void closeDevice() throws IOException {
    mounting.lock();
    try {
      if (device != null) {
        device.close();
      }
    } finally {
      mounting.unlock();
    }
  }

  private void closeQuietly() {
    try {
      closeDevice();
    } catch (IOException e) {
      console.error(Errors.describe(e));
    }
  }
}
