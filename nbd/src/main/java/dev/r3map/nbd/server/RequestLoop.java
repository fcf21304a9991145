package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.CMD_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.CMD_DISC;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_FAST_ZERO;
import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_FUA;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.EINVAL;
import static dev.r3map.nbd.protocol.Transmission.ENOTSUP;
import static dev.r3map.nbd.protocol.Transmission.ESHUTDOWN;
import static dev.r3map.nbd.protocol.Transmission.EXTENDED_REQUEST_HEADER;
import static dev.r3map.nbd.protocol.Transmission.REQUEST_HEADER;

import dev.r3map.nbd.wire.Wire;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Takes the requests of one connection, on one thread. What cannot wait is done at once, and its
 * replies are gathered until no more requests have come; the rest goes to threads of its own.
 */
final class RequestLoop {
  private static final int INPUT = 256 << 10;
  private static final int OUTPUT = 512 << 10;

  /** Of all that is read or written at once: more than that delays the replies before it. */
  private static final int MAX_IMMEDIATE = 2 << 20;

  /** Read into the output itself, because copying costs less than a buffer of one's own. */
  private static final int MAX_COPIED = 64 << 10;

  /** Requests of one connection that are worked on at a time. */
  private static final int MAX_WORK = 64;

  private final Wire wire;
  private final Agreed agreed;
  private final Export export;
  private final Service service;
  private final Buffers buffers;
  private final Rules rules;
  private final ReplyEncoder encoder;
  private final ReplyQueue queue;
  private final Semaphore work = new Semaphore(MAX_WORK);
  private final Request request = new Request();
  private final ByteBuffer in = ByteBuffer.allocateDirect(INPUT).flip();
  private final ByteBuffer out = ByteBuffer.allocateDirect(OUTPUT);
  private final MemorySegment outBytes = MemorySegment.ofBuffer(out);
  private final ByteBuffer[] sending = new ByteBuffer[2];

  RequestLoop(Wire wire, Agreed agreed, Service service) {
    this.wire = wire;
    this.agreed = agreed;
    this.export = agreed.export();
    this.service = service;
    this.buffers = service.buffers();
    this.rules = new Rules(agreed);
    this.encoder = new ReplyEncoder(agreed);
    this.queue = new ReplyQueue(wire);
  }

  /**
   * Serves until the client takes its leave or is gone; all replies are sent then.
   *
   * @throws IOException if the client does what no answer is for, or the connection fails
   */
  void run() throws IOException, InterruptedException {
    try {
      int header = agreed.extended() ? EXTENDED_REQUEST_HEADER : REQUEST_HEADER;
      while (receive(header)) {
        request.parse(in, agreed.extended());
        request.contexts = agreed.contexts();
        if (request.type == CMD_DISC) {
          break;
        }
        serve();
      }
      flush();
    } finally {
      work.acquireUninterruptibly(MAX_WORK);
    }
  }

  private void serve() throws IOException, InterruptedException {
    Rules.Violation violation = rules.check(request);
    long length = request.payload(agreed.extended());
    ByteBuffer payload = null;
    if (length != 0) {
      if (violation != null || !takesPayload()) {
        skip(length);
        if (violation == null) {
          violation = new Rules.Violation(EINVAL, "more than the maximum block size at once");
        }
      } else {
        payload = receivePayload((int) length);
      }
    }
    if (violation == null && payload != null && request.type == CMD_BLOCK_STATUS) {
      try {
        violation = narrow(payload);
      } finally {
        buffers.giveBack(payload);
        payload = null;
      }
    }
    if (violation == null && request.has(CMD_FLAG_FAST_ZERO) && !export.zeroesFast()) {
      violation = new Rules.Violation(ENOTSUP, "it would not be faster than writing");
    }
    if (violation == null && service.isStopping()) {
      violation = new Rules.Violation(ESHUTDOWN, "the server is being shut down");
    }
    if (violation != null) {
      if (payload != null) {
        buffers.giveBack(payload);
      }
      refuse(violation.error(), violation.message());
    } else if (isImmediate()) {
      doNow(payload);
    } else {
      doLater(payload);
    }
  }

  private boolean isImmediate() {
    return request.length <= MAX_IMMEDIATE
        && !request.has(CMD_FLAG_FUA)
        && export.isImmediate(request);
  }

  private boolean takesPayload() {
    return request.length
        <= (request.type == CMD_BLOCK_STATUS ? StatusFilter.MAX_PAYLOAD : export.maximum());
  }

  /** A block status whose range is in its payload. */
  private Rules.@Nullable Violation narrow(ByteBuffer payload) {
    Rules.Violation violation = StatusFilter.apply(payload, request, agreed.contexts());
    return violation != null ? violation : rules.checkRange(request);
  }

  private void doNow(@Nullable ByteBuffer payload) throws IOException, InterruptedException {
    if (payload != null) {
      writeNow(payload);
    } else if (request.length <= MAX_COPIED) {
      readIntoOutput((int) request.length);
    } else {
      readApart((int) request.length);
    }
  }

  private void writeNow(ByteBuffer payload) throws IOException {
    try {
      export.backend().write(payload, request.offset);
    } catch (IOException | RuntimeException e) {
      refuse(Failures.error(e), Failures.message(e));
      return;
    } finally {
      buffers.giveBack(payload);
    }
    reserve(ReplyEncoder.CHUNK);
    encoder.done(out, request);
  }

  private void readIntoOutput(int length) throws IOException {
    reserve(ReplyEncoder.CHUNK + length);
    int start = out.position();
    encoder.data(out, request, request.offset, length, true);
    int data = out.position();
    try {
      export.backend().read(out.limit(data + length), request.offset);
    } catch (IOException | RuntimeException e) {
      out.clear().position(start);
      refuse(Failures.error(e), Failures.message(e));
      return;
    }
    out.clear().position(data + length);
    if (agreed.structured() && ZeroRuns.isZero(outBytes, data, data + length)) {
      out.position(start);
      encoder.hole(out, request, request.offset, length, true);
    }
  }

  private void readApart(int length) throws IOException, InterruptedException {
    ByteBuffer data = buffers.take(length);
    try {
      try {
        export.backend().read(data, request.offset);
      } catch (IOException | RuntimeException e) {
        refuse(Failures.error(e), Failures.message(e));
        return;
      }
      data.flip();
      reserve(ReplyEncoder.CHUNK);
      if (agreed.structured() && ZeroRuns.isZero(MemorySegment.ofBuffer(data), 0, length)) {
        encoder.hole(out, request, request.offset, length, true);
        return;
      }
      encoder.data(out, request, request.offset, length, true);
      flush(data);
    } finally {
      buffers.giveBack(data);
    }
  }

  private void doLater(@Nullable ByteBuffer payload) throws IOException, InterruptedException {
    // Whoever waits for these may hold what this thread is about to wait for.
    flush();
    ByteBuffer room = payload;
    boolean begun = false;
    work.acquire();
    try {
      if (room == null && request.type == CMD_READ) {
        room = buffers.take((int) request.length);
      }
      service.start(new Work(request.copy(), agreed, encoder, buffers, room, queue, work::release));
      begun = true;
    } finally {
      if (!begun) {
        work.release();
        if (room != null) {
          buffers.giveBack(room);
        }
      }
    }
  }

  private void refuse(int error, String message) throws IOException {
    reserve(ReplyEncoder.ERROR);
    encoder.error(out, request, error, message);
  }

  /** Makes room in the output. */
  private void reserve(int bytes) throws IOException {
    if (out.remaining() < bytes) {
      flush();
    }
  }

  private void flush() throws IOException {
    if (out.position() > 0) {
      sending[0] = out.flip();
      try {
        queue.write(sending, 1);
      } finally {
        out.clear();
      }
    }
  }

  private void flush(ByteBuffer data) throws IOException {
    sending[0] = out.flip();
    sending[1] = data;
    try {
      queue.write(sending, 2);
    } finally {
      out.clear();
    }
  }

  /** Whether so many bytes are there to be read; false at the end. */
  private boolean receive(int bytes) throws IOException {
    while (in.remaining() < bytes) {
      flush();
      in.compact();
      int read;
      try {
        read = wire.read(in);
      } finally {
        in.flip();
      }
      if (read < 0) {
        if (in.hasRemaining()) {
          throw new EOFException("the connection ended in the middle of a request");
        }
        return false;
      }
    }
    return true;
  }

  private ByteBuffer receivePayload(int length) throws IOException, InterruptedException {
    if (in.remaining() < length) {
      flush();
    }
    ByteBuffer payload = buffers.take(length);
    try {
      int here = Math.min(in.remaining(), length);
      payload.put(0, in, in.position(), here).position(here);
      in.position(in.position() + here);
      wire.readFully(payload);
      return payload.flip();
    } catch (IOException | RuntimeException e) {
      buffers.giveBack(payload);
      throw e;
    }
  }

  private void skip(long length) throws IOException {
    if (length < 0 || length > 2L * Export.MAX_PAYLOAD) {
      throw new IOException(
          "a payload of %s bytes that is not wanted".formatted(Long.toUnsignedString(length)));
    }
    long left = length;
    while (left > 0) {
      int here = (int) Math.min(in.remaining(), left);
      in.position(in.position() + here);
      left -= here;
      if (left > 0 && !receive(1)) {
        throw new EOFException("the connection ended in the middle of a request");
      }
    }
  }
}
