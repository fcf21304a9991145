package dev.r3map.grpc;

import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.internal.RangeSet;
import dev.r3map.internal.WriteLog;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * The Go r3map's mount service. It knows no server instances, so each connection counts as one: a
 * sync after a reconnect asks for the writes again, although they may have survived.
 */
final class MountClient implements Protocol {
  private final Caller caller;
  private final long size;
  private final Geometry geometry;
  private final WriteLog log;

  private MountClient(Caller caller, long size, boolean readOnly) {
    this.caller = caller;
    this.size = size;
    this.geometry = new Geometry(1, 0, Limits.LEGACY_PIECE, readOnly);
    this.log = new WriteLog(caller.link().connections());
  }

  static MountClient open(Caller caller, BackendOptions options) throws IOException {
    long size = options.size().isPresent() ? options.size().getAsLong() : askSize(caller);
    return new MountClient(caller, size, options.readOnly());
  }

  private static long askSize(Caller caller) throws IOException {
    long[] size = new long[1];
    try {
      caller.unary(
          Methods.MOUNT_SIZE,
          ClientFailures.OPEN,
          MountWire.empty(),
          in -> size[0] = MountWire.number(in));
    } catch (ClientFailures.UnimplementedException e) {
      throw new PermanentIOException(
          "cannot open %s: the server does not tell the size of its resource; say it with --size"
              .formatted(caller.link().endpoint().name()),
          e);
    }
    if (size[0] < 0) {
      throw caller.failures().of(ClientFailures.OPEN, new MalformedException("size " + size[0]));
    }
    return size[0];
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public Geometry geometry() {
    return geometry;
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    int length = dst.remaining();
    caller.unary(
        Methods.READ_AT,
        Actions.read(offset, length),
        MountWire.readAtArgs(length, offset),
        in -> MountWire.readAtReply(in, dst),
        length);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    int length = src.remaining();
    long server = caller.link().connections();
    caller.unary(
        Methods.WRITE_AT,
        Actions.write(offset, length),
        MountWire.writeAtArgs(offset, src),
        in -> {
          int written = (int) MountWire.number(in);
          if (written != length) {
            throw new MalformedException("wrote %d of %d bytes".formatted(written, length));
          }
        },
        length);
    log.serverIs(caller.link().connections());
    log.wrote(server, offset, length);
    src.position(src.limit());
  }

  @Override
  public void sync() throws IOException {
    log.serverIs(caller.link().connections());
    Actions.refuseIfLost(log, caller.link().endpoint().name());
    RangeSet covered = log.beginSync();
    boolean durable = false;
    try {
      caller.patient().unary(Methods.MOUNT_SYNC, "sync", MountWire.empty(), ResourceWire::empty);
      durable = true;
    } finally {
      log.serverIs(caller.link().connections());
      log.endSync(covered, durable);
    }
    Actions.refuseIfLost(log, caller.link().endpoint().name());
  }

  @Override
  public boolean zero(long offset, long length) {
    return false;
  }

  @Override
  public void discard(long offset, long length) {
    // The service has no such thing, and the bytes may stay as they are.
  }

  @Override
  public List<Extent> extents(long offset, long length) {
    return length == 0 ? List.of() : List.of(Extent.data(offset, length));
  }

  @Override
  public Optional<String> identity() {
    return Optional.empty();
  }
}
