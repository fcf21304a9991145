package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.CMD_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.CMD_CACHE;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_DF;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_FUA;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_NO_HOLE;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_REQ_ONE;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLUSH;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_TRIM;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE_ZEROES;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A request that may have to wait, carried out by a thread of its own, and then its reply. Owns the
 * payload from the beginning.
 */
final class Work implements Runnable, ReplyQueue.Reply {
  /** Chunks of one reply: beyond that what is left travels as data. */
  private static final int MAX_RUNS = 64;

  private final Request request;
  private final Export export;
  private final ReplyEncoder encoder;
  private final Share share;
  private final ReplyQueue queue;
  private final Runnable onEnd;
  private final boolean chunks;

  /** What is written or read, if anything is. */
  private @Nullable ByteBuffer payload;

  /** What is sent, in order. */
  private final List<ByteBuffer> parts = new ArrayList<>(2);

  /**
   * @param payload of the request, or room for what it reads
   * @param onEnd when the reply is sent
   */
  Work(
      Request request,
      Agreed agreed,
      ReplyEncoder encoder,
      Share share,
      @Nullable ByteBuffer payload,
      ReplyQueue queue,
      Runnable onEnd) {
    this.request = request;
    this.export = agreed.export();
    this.chunks = agreed.structured();
    this.encoder = encoder;
    this.share = share;
    this.payload = payload;
    this.queue = queue;
    this.onEnd = onEnd;
  }

  @Override
  public void run() {
    try {
      perform();
    } catch (IOException | RuntimeException | Error e) {
      fail(Failures.error(e), Failures.message(e));
    } finally {
      // A backend may leave an interrupt behind, which would close the socket.
      var _ = Thread.interrupted();
      queue.send(this);
    }
  }

  @Override
  public void addTo(List<ByteBuffer> all) {
    if (parts.isEmpty()) {
      throw new IllegalStateException("there was not even memory for the reply that says so");
    }
    all.addAll(parts);
  }

  @Override
  public void end() {
    if (payload != null) {
      share.giveBack(payload);
      payload = null;
    }
    onEnd.run();
  }

  private void perform() throws IOException {
    switch (request.type) {
      case CMD_READ -> read();
      case CMD_BLOCK_STATUS -> blockStatus();
      default -> {
        change();
        if (request.has(CMD_FLAG_FUA)) {
          export.backend().sync();
        }
        ByteBuffer head = ByteBuffer.allocate(ReplyEncoder.CHUNK);
        encoder.done(head, request);
        parts.add(head.flip());
      }
    }
  }

  private void change() throws IOException {
    switch (request.type) {
      case CMD_WRITE -> export.backend().write(payload(), request.offset);
      case CMD_FLUSH -> export.backend().sync();
      case CMD_TRIM -> export.backend().discard(request.offset, request.length);
      case CMD_WRITE_ZEROES ->
          export.zero(request.offset, request.length, request.has(CMD_FLAG_NO_HOLE));
      case CMD_CACHE -> export.prefetch(request.offset, request.length);
      default -> throw new IllegalStateException("no command: " + request.type);
    }
  }

  private void read() throws IOException {
    ByteBuffer data = payload();
    export.backend().read(data, request.offset);
    data.flip();
    if (!chunks) {
      addData(data, 0, data.limit(), true);
      return;
    }
    MemorySegment bytes = MemorySegment.ofBuffer(data);
    if (request.has(CMD_FLAG_DF)) {
      if (ZeroRuns.isZero(bytes, 0, data.limit())) {
        addHole(0, data.limit(), true);
      } else {
        addData(data, 0, data.limit(), true);
      }
      return;
    }
    int end = data.limit();
    int runs = 0;
    for (int at = 0; at < end; runs++) {
      boolean zeros = ZeroRuns.isZero(bytes, at, Math.min(at + ZeroRuns.BLOCK, end));
      int to = (int) ZeroRuns.end(bytes, at, end, zeros);
      if (zeros) {
        addHole(at, to, to == end);
      } else {
        if (runs >= MAX_RUNS) {
          to = end;
        }
        addData(data, at, to, to == end);
      }
      at = to;
    }
  }

  private void addData(ByteBuffer data, int from, int to, boolean last) {
    ByteBuffer head = ByteBuffer.allocate(ReplyEncoder.CHUNK);
    encoder.data(head, request, request.offset + from, to - from, last);
    parts.add(head.flip());
    parts.add(data.slice(from, to - from));
  }

  private void addHole(int from, int to, boolean last) {
    ByteBuffer head = ByteBuffer.allocate(ReplyEncoder.CHUNK);
    encoder.hole(head, request, request.offset + from, to - from, last);
    parts.add(head.flip());
  }

  private void blockStatus() throws IOException {
    BlockStatus status = new BlockStatus(export);
    MetaContext last = request.contexts.getLast();
    for (MetaContext context : request.contexts) {
      List<Descriptor> runs =
          status.of(context, request.offset, request.length, request.has(CMD_FLAG_REQ_ONE));
      ByteBuffer chunk = ByteBuffer.allocate(encoder.blockStatusLength(runs.size()));
      encoder.blockStatus(chunk, request, context, runs, context == last);
      parts.add(chunk.flip());
    }
  }

  private void fail(int error, String message) {
    parts.clear();
    ByteBuffer head = ByteBuffer.allocate(ReplyEncoder.ERROR);
    encoder.error(head, request, error, message);
    parts.add(head.flip());
  }

  private ByteBuffer payload() {
    return Objects.requireNonNull(payload);
  }
}
