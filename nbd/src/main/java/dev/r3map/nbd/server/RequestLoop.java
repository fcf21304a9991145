package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.CMD_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.CMD_DISC;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_FAST_ZERO;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_FUA;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.EINVAL;
import static dev.r3map.nbd.protocol.Transmission.ENOMEM;
import static dev.r3map.nbd.protocol.Transmission.ENOTSUP;
import static dev.r3map.nbd.protocol.Transmission.ESHUTDOWN;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REQUEST_HEADER;
import static dev.r3map.nbd.protocol.Transmission.REQUEST_HEADER;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Takes the requests of one connection, on one thread. What cannot wait is done at once, and its
 * replies are gathered until no more requests have come; the rest goes to threads of its own.
 */
final class RequestLoop {
  /** Requests of one connection that are worked on at a time. */
  private static final int MAX_WORK = 64;

  private static final Rules.Violation NO_MEMORY =
      new Rules.Violation(ENOMEM, "the server has no memory for it");
  private static final Rules.Violation TOO_MUCH =
      new Rules.Violation(EINVAL, "more than the maximum block size at once");
  private static final Rules.Violation NOT_FASTER =
      new Rules.Violation(ENOTSUP, "it would not be faster than writing");
  private static final Rules.Violation SHUTDOWN =
      new Rules.Violation(ESHUTDOWN, "the server is being shut down");

  private final TimedWire wire;
  private final Agreed agreed;
  private final Export export;
  private final Service service;
  private final Share share;
  private final Rules rules;
  private final ReplyEncoder encoder;
  private final ReplyQueue queue;
  private final Semaphore work = new Semaphore(MAX_WORK);
  private final Output output;
  private final Input input;
  private final Immediate immediate;
  private final Request request = new Request();

  RequestLoop(Wire wire, Agreed agreed, Service service) {
    this.wire = new TimedWire(wire);
    this.agreed = agreed;
    this.export = agreed.export();
    this.service = service;
    this.share = new Share(service, this.wire);
    this.rules = new Rules(agreed);
    this.encoder = new ReplyEncoder(agreed);
    this.queue = new ReplyQueue(this.wire);
    this.output = new Output(queue);
    this.input = new Input(this.wire, output);
    this.immediate = new Immediate(agreed, encoder, input, output);
  }

  /**
   * Serves until the client takes its leave or is gone; all replies are sent then.
   *
   * @throws IOException if the client does what no answer is for, or the connection fails
   */
  void run() throws IOException, InterruptedException {
    service.add(share);
    try {
      int header = agreed.extended() ? EXTENDED_REQUEST_HEADER : REQUEST_HEADER;
      while (input.await(header)) {
        request.parse(input.buffer(), agreed.extended());
        request.contexts = agreed.contexts();
        if (request.type == CMD_DISC) {
          break;
        }
        serve();
      }
      output.flush();
    } catch (IOException | RuntimeException | Error e) {
      // Replies that the client does not take must not keep it alive.
      wire.close();
      throw e;
    } finally {
      work.acquireUninterruptibly(MAX_WORK);
      service.remove(share);
    }
  }

  private void serve() throws IOException, InterruptedException {
    Rules.Violation violation = rules.check(request);
    if (violation == null) {
      violation = refusal();
    }
    long length = request.payload(agreed.extended());
    if (violation == null && length != 0 && !takesPayload()) {
      violation = TOO_MUCH;
    }
    if (violation == null && isImmediate()) {
      doNow();
      return;
    }
    ByteBuffer payload = null;
    if (length != 0) {
      if (violation == null) {
        payload = receivePayload((int) length);
        if (payload == null) {
          violation = NO_MEMORY;
        }
      } else {
        skip(length);
      }
    }
    if (violation == null && payload != null && request.type == CMD_BLOCK_STATUS) {
      try {
        violation = narrow(payload);
      } finally {
        share.giveBack(payload);
        payload = null;
      }
    }
    if (violation != null) {
      refuse(violation);
      return;
    }
    try {
      doLater(payload);
    } catch (OutOfMemoryError e) {
      refuse(NO_MEMORY);
    }
  }

  /** Why a request that is good cannot be carried out. */
  private Rules.@Nullable Violation refusal() {
    if (request.has(CMD_FLAG_FAST_ZERO) && !export.zeroesFast()) {
      return NOT_FASTER;
    }
    return service.isStopping() ? SHUTDOWN : null;
  }

  private boolean isImmediate() {
    return !request.has(CMD_FLAG_FUA) && export.isImmediate(request);
  }

  private boolean takesPayload() {
    int most = request.type == CMD_BLOCK_STATUS ? StatusFilter.MAX_PAYLOAD : export.maximum();
    return Long.compareUnsigned(request.length, most) <= 0;
  }

  /** A block status whose range is in its payload. */
  private Rules.@Nullable Violation narrow(ByteBuffer payload) {
    Rules.Violation violation = StatusFilter.apply(payload, request, agreed.contexts());
    return violation != null ? violation : rules.checkRange(request);
  }

  private void doNow() throws IOException {
    if (request.type == CMD_READ) {
      immediate.read(request);
    } else {
      immediate.write(request);
    }
  }

  private void doLater(@Nullable ByteBuffer payload) throws IOException, InterruptedException {
    ByteBuffer room = payload;
    boolean permitted = false;
    boolean begun = false;
    try {
      // Whoever waits for these may hold what this thread is about to wait for.
      output.flush();
      work.acquire();
      permitted = true;
      if (room == null && request.type == CMD_READ) {
        room = room((int) request.length);
      }
      service.start(new Work(request.copy(), agreed, encoder, share, room, queue, work::release));
      begun = true;
    } finally {
      if (!begun) {
        if (permitted) {
          work.release();
        }
        if (room != null) {
          share.giveBack(room);
        }
      }
    }
  }

  /** Memory for a payload; sends first what is there to send, if it has to wait for it. */
  private ByteBuffer room(int bytes) throws IOException, InterruptedException {
    ByteBuffer room = share.tryTake(bytes);
    if (room != null) {
      return room;
    }
    output.flush();
    return share.take(bytes);
  }

  private void refuse(Rules.Violation violation) throws IOException {
    ByteBuffer out = output.reserve(ReplyEncoder.ERROR);
    encoder.error(out, request, violation.error(), violation.message());
  }

  /** Null if there is no memory for it. */
  private @Nullable ByteBuffer receivePayload(int length) throws IOException, InterruptedException {
    ByteBuffer payload;
    try {
      payload = room(length);
    } catch (OutOfMemoryError e) {
      skip(length);
      return null;
    }
    boolean received = false;
    try {
      input.readFully(payload);
      received = true;
      return payload.flip();
    } finally {
      if (!received) {
        share.giveBack(payload);
      }
    }
  }

  private void skip(long length) throws IOException {
    if (length < 0 || length > 2L * Export.MAX_PAYLOAD) {
      throw new IOException(
          "a payload of %s bytes that is not wanted".formatted(Long.toUnsignedString(length)));
    }
    input.skip(length);
  }
}
