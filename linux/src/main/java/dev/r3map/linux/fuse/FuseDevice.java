package dev.r3map.linux.fuse;

import dev.r3map.Device;
import dev.r3map.linux.FuseOptions;
import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.ErrnoException;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.StatCalls;
import dev.r3map.spi.FrontendRegion;
import dev.r3map.spi.FrontendRegion.Frontend;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A region mounted as a file. Owns the mount, its descriptor, its threads (two receivers, a
 * notifier, a watchdog, a virtual thread for each request that waits) and their memory until {@link
 * #close}, which also the region calls when it is closed first. Requests in flight then fail.
 *
 * <p>What {@link #open} did is undone in reverse order, also when it fails half-way: the fields
 * that are not null say how far it came.
 */
public final class FuseDevice implements Device, Frontend {
  private static final Duration READY_LIMIT = Duration.ofSeconds(10);

  /** For threads whose mount is gone: they return from the kernel within microseconds. */
  private static final Duration END_LIMIT = Duration.ofSeconds(5);

  /** For writing back what programs stored into mappings; beyond the deadline of each write. */
  private static final Duration WRITE_BACK_MARGIN = Duration.ofSeconds(10);

  private final FrontendRegion region;
  private final Path requested;
  private final FuseOptions options;
  private final ReentrantLock closing = new ReentrantLock();
  private boolean closed;

  private boolean attached;
  private @Nullable MountPoint mountPoint;
  private @Nullable RequestPool pool;
  private @Nullable FuseMount mount;
  private @Nullable Passthrough passthrough;
  private @Nullable DeferredRequests deferred;
  private @Nullable FuseServer server;
  private @Nullable Receivers receivers;
  private @Nullable Thread nudges;

  // What the region's threads look at.
  private volatile @Nullable Notifier notifier;
  private volatile @Nullable Attributes attributes;

  /** Called after each step of opening; a test fails there. */
  interface Steps {
    void done(String step) throws IOException;
  }

  private FuseDevice(FrontendRegion region, Path path, FuseOptions options) {
    this.region = region;
    this.requested = path;
    this.options = options;
  }

  /** Mounts a region; returns once the file can be used. */
  public static FuseDevice open(FrontendRegion region, Path path, FuseOptions options)
      throws IOException {
    return open(region, path, options, step -> {});
  }

  static FuseDevice open(FrontendRegion region, Path path, FuseOptions options, Steps steps)
      throws IOException {
    FuseDevice device = new FuseDevice(region, path, options);
    try {
      device.start(steps);
      return device;
    } catch (IOException | RuntimeException | Error e) {
      try {
        device.close();
      } catch (IOException | RuntimeException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private void start(Steps steps) throws IOException {
    closing.lock();
    try {
      FailureLog log = new FailureLog(requested + " (" + region + ")");
      boolean readOnly = region.readOnly();
      long size = region.size();
      Optional<LocalView> view = region.local();

      // First, so that nothing that is written after the kernel saw the file goes unnoticed.
      region.attach(this);
      attached = true;
      steps.done("attached");
      RequestPool requests = new RequestPool();
      pool = requests;
      MountPoint point;
      FuseMount mounted;
      try (MountTurn _ = MountTurn.at(requested)) {
        point = MountPoint.prepare(requested);
        mountPoint = point;
        steps.done("mount point");
        mounted = FuseMount.at(point, readOnly);
        mount = mounted;
      }
      steps.done("mounted");
      FuseConnection connection = mounted.connection();
      boolean wantPassthrough = options.passthrough() && readOnly && mounted.byRoot();
      Handshake handshake = shakeHands(connection, requests, wantPassthrough);
      steps.done("handshake");

      String name = "r3map FUSE " + point.path().getFileName();
      Attributes attrs = new Attributes(size, point.status(), readOnly);
      attributes = attrs;
      HandedPages handed = new HandedPages(size);
      Passthrough through =
          new Passthrough(connection, log, view.filter(_ -> handshake.passthrough()), size);
      passthrough = through;
      DeferredRequests waiting =
          new DeferredRequests(connection, log, name, options.requestTimeout());
      deferred = waiting;
      steps.done("watchdog");
      Notifier notifies =
          new Notifier(
              connection,
              log,
              handed,
              view.filter(_ -> readOnly && options.push() && !options.directIo()),
              through,
              size,
              name);
      notifier = notifies;
      steps.done("notifier");
      OpenFiles openFiles = new OpenFiles(options.directIo(), through);
      FuseServer serves =
          new FuseServer(
              region,
              this,
              connection,
              requests,
              waiting,
              notifies,
              openFiles,
              through,
              handed,
              attrs,
              log,
              options);
      server = serves;
      receivers = new Receivers(connection, serves, requests, log, name);
      steps.done("receivers");
      if (mounted.byRoot()) {
        raiseReadahead(mounted, log);
      }
      probe(mounted, point.path(), size);
      notifies.sizeIsKnown();
      steps.done("ready");
    } finally {
      closing.unlock();
    }
  }

  @Override
  public Path path() {
    return requested;
  }

  @Override
  public void written(long offset, long length) {
    Attributes attrs = attributes;
    Notifier notifies = notifier;
    if (attrs != null && notifies != null) {
      attrs.touch();
      notifies.forget(offset, length);
    }
  }

  @Override
  public void pulled(long offset, long length) {
    Notifier notifies = notifier;
    if (notifies != null) {
      notifies.push(offset, length);
    }
  }

  /** How many READs the kernel sent. */
  long reads() {
    FuseServer serves = server;
    return serves == null ? 0 : serves.reads();
  }

  /** How many bytes were pushed. */
  long pushed() {
    Notifier notifies = notifier;
    return notifies == null ? 0 : notifies.pushed();
  }

  /** Ends the connection as an administrator would. */
  void abort() throws IOException {
    if (mount != null) {
      mount.abort();
    }
  }

  /** Whether the kernel reads by itself. */
  boolean passesThrough() {
    return passthrough != null && passthrough.isActive();
  }

  @Override
  public void close() throws IOException {
    closing.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      Unwinding unwinding = new Unwinding();
      if (receivers != null && !region.readOnly()) {
        unwinding.step(this::writeBack);
      }
      if (receivers != null) {
        receivers.stop();
      }
      if (pool != null) {
        // Now, for a receiver may wait for memory.
        unwinding.step(pool::close);
      }
      if (passthrough != null) {
        unwinding.step(passthrough::close);
      }
      if (mount != null) {
        unwinding.step(mount::detach);
      }
      boolean ended = unwinding.step(this::endReceivers);
      if (deferred != null) {
        unwinding.step(deferred::close);
      }
      if (notifier != null) {
        unwinding.step(notifier::close);
      }
      // What a receiver that hangs in the kernel may still use stays.
      if (mount != null && ended) {
        unwinding.step(mount.connection()::close);
        unwinding.step(this::endNudges);
        unwinding.step(mount::closeHandle);
      }
      if (server != null && ended) {
        unwinding.step(server::close);
      }
      if (mountPoint != null) {
        unwinding.step(mountPoint::close);
      }
      if (attached) {
        unwinding.step(() -> region.detach(this));
      }
      unwinding.finish("cannot close the mount at " + requested + " cleanly");
    } finally {
      closing.unlock();
    }
  }

  private Handshake shakeHands(
      FuseConnection connection, RequestPool requests, boolean wantPassthrough) throws IOException {
    Request request = requests.take();
    if (request == null) {
      throw new IOException("closed");
    }
    try {
      Duration longest =
          options.flushTimeout().compareTo(options.requestTimeout()) > 0
              ? options.flushTimeout()
              : options.requestTimeout();
      return Handshake.perform(connection, request, wantPassthrough, longest);
    } finally {
      requests.giveBack(request);
    }
  }

  private static void raiseReadahead(FuseMount mounted, FailureLog log) {
    try {
      mounted.raiseReadahead();
    } catch (IOException e) {
      log.note("readahead stays at the kernel's default: " + e);
    }
  }

  /** Proves that the mount answers, and with the right size. */
  private static void probe(FuseMount mounted, Path path, long size) throws IOException {
    StatCalls.Status status =
        Joins.within(READY_LIMIT, "probe " + path, () -> StatCalls.status(path));
    if (status.deviceMinor() != mounted.minor() || status.size() != size) {
      throw new IOException(
          "the mount at %s does not show (size=%d, expected %d)"
              .formatted(path, status.size(), size));
    }
  }

  /** Fetches what programs stored into mappings and the kernel did not write yet. */
  private void writeBack() throws IOException {
    if (mount == null || mountPoint == null || !mount.isOnTop()) {
      return;
    }
    Path path = mountPoint.path();
    Joins.within(
        options.requestTimeout().plus(WRITE_BACK_MARGIN),
        "write back " + path,
        () -> {
          int fd;
          try {
            fd = FileCalls.open(path, FileCalls.O_RDONLY, 0);
          } catch (ErrnoException e) {
            if (e.errno() == Errno.ENOTCONN || e.errno() == Errno.ECONNABORTED) {
              // Ended from outside, which was logged; what was not written then is lost.
              return false;
            }
            throw e;
          }
          try {
            FileCalls.writeBack(fd);
          } finally {
            FileCalls.close(fd);
          }
          return true;
        });
  }

  private void endReceivers() throws IOException {
    if (receivers == null || mount == null) {
      return;
    }
    if (mount.canNudge()) {
      nudges = Thread.ofPlatform().daemon().name("r3map FUSE nudge").start(this::nudge);
    }
    if (receivers.ended(END_LIMIT)) {
      return;
    }
    try {
      mount.abort();
    } catch (IOException e) {
      throw new IOException("it ends only when the programs that have the file open close it", e);
    }
    if (!receivers.ended(END_LIMIT)) {
      throw new IOException("the receivers do not end");
    }
  }

  /** Wakes receivers, one for each request. */
  private void nudge() {
    try {
      while (mount != null && receivers != null && !receivers.ended(Duration.ZERO)) {
        mount.nudge();
      }
    } catch (IOException e) {
      // The connection ended, which is all that was wanted.
    }
  }

  private void endNudges() throws IOException {
    if (nudges != null) {
      Joins.join(nudges, END_LIMIT);
    }
  }
}
