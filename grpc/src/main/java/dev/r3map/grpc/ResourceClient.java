package dev.r3map.grpc;

import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.grpc.ClientFailures.FencedException;
import dev.r3map.grpc.ClientFailures.InstanceException;
import dev.r3map.grpc.ClientFailures.UnimplementedException;
import dev.r3map.internal.RangeSet;
import dev.r3map.internal.WriteLog;
import dev.r3map.spi.BackendOptions;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The service {@code dev.r3map.v1.Resource}.
 *
 * <p>Every request names the server instance it is meant for; another one carries out nothing and
 * says so. Then Info is asked once more: if the resource is still the one that was opened, the
 * request goes to the new instance, and the caller notices nothing but the time it took; if not,
 * this and all later calls fail with {@link ResourceChangedException}. So nothing ever reaches, or
 * comes from, a resource that was not opened.
 *
 * <p>A write, zero or discard whose outcome is not known begins a new epoch (see {@code Fence} in
 * {@code resource.proto}): it may still be carried out, but not after a later one.
 */
final class ResourceClient implements Protocol {
  /** A server that restarts more often while one request is tried is not worth more. */
  private static final int TRIES = 10;

  /** A backend that must write the zeros of a range can do this many within any timeout. */
  private static final long LONGEST_RANGE = 64L << 20;

  private final Caller caller;
  private final ResourceInfo opened;
  private final Geometry geometry;
  private final WriteLog log;
  private final long client = new SecureRandom().nextLong() | 1;
  private final AtomicLong epoch = new AtomicLong();
  private final ReentrantLock verifying = new ReentrantLock();
  private volatile long instance;
  private volatile boolean written;
  private volatile @Nullable String changed;

  private ResourceClient(Caller caller, ResourceInfo opened, boolean readOnly) {
    this.caller = caller;
    this.opened = opened;
    this.instance = opened.instance();
    this.log = new WriteLog(opened.instance());
    int chunk = opened.geometry().requiredChunk();
    int most = Limits.MAX_TRANSFER - Limits.MAX_TRANSFER % chunk;
    int preferred = opened.geometry().preferredChunk();
    this.geometry = new Geometry(chunk, preferred, most, readOnly || opened.geometry().readOnly());
  }

  /** Empty if the server does not have this service. */
  static Optional<ResourceClient> open(Caller caller, BackendOptions options) throws IOException {
    ResourceInfo info;
    try {
      info = info(caller, ClientFailures.OPEN);
    } catch (UnimplementedException e) {
      return Optional.empty();
    }
    if (options.size().isPresent() && options.size().getAsLong() != info.size()) {
      throw new PermanentIOException(
          "cannot open %s: it has %d bytes and not %d"
              .formatted(caller.link().endpoint().name(), info.size(), options.size().getAsLong()));
    }
    return Optional.of(new ResourceClient(caller, info, options.readOnly()));
  }

  private static ResourceInfo info(Caller caller, String action) throws IOException {
    List<ResourceInfo> reply = new ArrayList<>(1);
    caller.unary(
        Methods.INFO, action, ResourceWire.infoRequest(), in -> reply.add(ResourceWire.info(in)));
    return reply.getFirst();
  }

  @Override
  public long size() {
    return opened.size();
  }

  @Override
  public Geometry geometry() {
    return geometry;
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    int start = dst.position();
    int length = dst.remaining();
    int most = Limits.frame(opened.geometry()) + Limits.HEADER;
    String action = Actions.read(offset, length);
    meantFor(server -> {
      dst.position(start);
      caller.call(
          Methods.READ,
          action,
          exchange -> exchange.send(ResourceWire.readRequest(server, offset, length)),
          in -> ResourceWire.readFrame(in, dst),
          most,
          length);
      if (dst.hasRemaining()) {
        throw caller
            .failures()
            .of(action, new MalformedException(dst.remaining() + " bytes are missing"));
      }
    });
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    int length = src.remaining();
    int frame = Limits.frame(opened.geometry());
    change(
        offset,
        length,
        (server, fence) -> {
          Caller.OneMessage reply = new Caller.OneMessage(ResourceWire::empty);
          String action = Actions.write(offset, length);
          caller.call(
              Methods.WRITE,
              action,
              exchange -> sendFrames(exchange, server, fence, src, offset, frame),
              reply,
              Limits.HEADER,
              length);
          reply.check(action, caller.failures());
        });
    src.position(src.limit());
  }

  private static void sendFrames(
      Exchange exchange, long server, Fence fence, ByteBuffer src, long offset, int frame)
      throws IOException {
    int start = src.position();
    int end = src.limit();
    for (int at = start; at < end || at == start; ) {
      int length = Math.min(frame, end - at);
      ByteBuffer data = src.slice(at, length);
      boolean first = at == start;
      if (!first && !exchange.awaitReady()) {
        return;
      }
      exchange.send(
          ResourceWire.writeFrame(
              first ? server : 0, first ? fence : Fence.NONE, offset + (at - start), data));
      at += Math.max(length, 1);
    }
  }

  @Override
  public boolean zero(long offset, long length) throws IOException {
    range(Methods.ZERO, "zero", offset, length);
    return true;
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    range(Methods.DISCARD, "discard", offset, length);
  }

  private void range(
      MethodDescriptor<InputStream, InputStream> method, String verb, long offset, long length)
      throws IOException {
    int chunk = opened.geometry().requiredChunk();
    long most = LONGEST_RANGE - LONGEST_RANGE % chunk;
    for (long done = 0; done < length; ) {
      long at = offset + done;
      long piece = Math.min(most, length - done);
      change(
          at,
          piece,
          (server, fence) ->
              caller.unary(
                  method,
                  Actions.of(verb, at, piece),
                  ResourceWire.rangeRequest(server, fence, at, piece),
                  ResourceWire::empty));
      done += piece;
    }
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    if (length == 0) {
      return List.of();
    }
    List<Extent> extents = new ArrayList<>();
    meantFor(server -> {
      extents.clear();
      caller.unary(
          Methods.EXTENTS,
          Actions.of("list the extents of", offset, length),
          ResourceWire.rangeRequest(server, Fence.NONE, offset, length),
          in -> extents.addAll(ResourceWire.extents(in, offset, length)));
    });
    return extents;
  }

  @Override
  public Optional<String> identity() throws IOException {
    refuseIfChanged();
    long server = instance;
    ResourceInfo now = info(caller, "identify");
    if (now.instance() != server) {
      verify(server);
    }
    return Optional.ofNullable(now.identity());
  }

  @Override
  public void sync() throws IOException {
    String resource = caller.link().endpoint().name();
    Actions.refuseIfLost(log, resource);
    RangeSet covered = log.beginSync();
    boolean durable = false;
    try {
      meantFor(server ->
          caller
              .patient()
              .unary(
                  Methods.SYNC,
                  "sync",
                  ResourceWire.sync(server),
                  in -> {
                    if (ResourceWire.sync(in) != server) {
                      throw new MalformedException("another instance answered");
                    }
                  }));
      durable = true;
    } finally {
      log.endSync(covered, durable);
    }
    // If the server restarted meanwhile, what it was to make durable is among the lost.
    Actions.refuseIfLost(log, resource);
  }

  @FunctionalInterface
  private interface Request {
    void send(long server) throws IOException;
  }

  @FunctionalInterface
  private interface Change {
    void send(long server, Fence fence) throws IOException;
  }

  private void change(long offset, long length, Change change) throws IOException {
    written = true;
    long[] server = new long[1];
    meantFor(to -> {
      server[0] = to;
      Fence fence = new Fence(client, epoch.get());
      try {
        change.send(to, fence);
      } catch (IOException e) {
        if (!ClientFailures.isAnswer(e)) {
          epoch.incrementAndGet();
        }
        throw e;
      }
    });
    log.wrote(server[0], offset, length);
  }

  /** Sends a request to the instance it is meant for, and to its successor if that is as good. */
  private void meantFor(Request request) throws IOException {
    for (int tries = 1; ; tries++) {
      refuseIfChanged();
      long server = instance;
      try {
        request.send(server);
        return;
      } catch (InstanceException e) {
        if (tries == TRIES) {
          throw e;
        }
        verify(server);
      } catch (FencedException e) {
        if (tries == TRIES) {
          throw e;
        }
      }
    }
  }

  /** Looks whether the server that took the place of {@code former} serves the same resource. */
  private void verify(long former) throws IOException {
    try {
      verifying.lockInterruptibly();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw caller.failures().of("reopen", new InterruptedIOException("interrupted"));
    }
    try {
      if (instance != former) {
        return;
      }
      ResourceInfo now = info(caller, "reopen");
      String difference = difference(now);
      if (difference != null) {
        changed =
            "%s is not the resource that was opened: %s"
                .formatted(caller.link().endpoint().name(), difference);
        refuseIfChanged();
      }
      log.serverIs(now.instance());
      instance = now.instance();
    } finally {
      verifying.unlock();
    }
  }

  private @Nullable String difference(ResourceInfo now) {
    if (now.size() != opened.size()) {
      return "%d bytes and not %d".formatted(now.size(), opened.size());
    }
    if (now.geometry().requiredChunk() != opened.geometry().requiredChunk()) {
      return "chunks of %d bytes and not %d"
          .formatted(now.geometry().requiredChunk(), opened.geometry().requiredChunk());
    }
    String was = opened.identity();
    String is = now.identity();
    // Our own writes change it too.
    if (!written && was != null && is != null && !was.equals(is)) {
      return "version '%s' and not '%s'".formatted(is, was);
    }
    return null;
  }

  private void refuseIfChanged() throws ResourceChangedException {
    String message = changed;
    if (message != null) {
      throw new ResourceChangedException(message);
    }
  }
}
