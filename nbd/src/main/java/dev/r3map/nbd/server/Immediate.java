package dev.r3map.nbd.server;

import static dev.r3map.nbd.protocol.Transmission.CMD_FLAG_DF;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Carries out reads and writes that wait for nothing, on the thread that takes the requests: from
 * where the bytes are into the output, and from the input to where they belong. Piece by piece, so
 * that what is copied stays in the processor's cache and takes no memory of its own.
 */
final class Immediate {
  private static final int PIECE = 128 << 10;

  /** Writes are cut where no block of a backend is. */
  private static final int BLOCK = 4096;

  private final Export export;
  private final boolean structured;
  private final ReplyEncoder encoder;
  private final Input input;
  private final Output output;

  Immediate(Agreed agreed, ReplyEncoder encoder, Input input, Output output) {
    this.export = agreed.export();
    this.structured = agreed.structured();
    this.encoder = encoder;
    this.input = input;
    this.output = output;
  }

  void read(Request request) throws IOException {
    int length = (int) request.length;
    boolean chunks = structured && (length <= PIECE || !request.has(CMD_FLAG_DF));
    int done = 0;
    while (done < length) {
      int piece = Math.min(length - done, PIECE);
      long offset = request.offset + done;
      boolean last = done + piece == length;
      ByteBuffer out = output.reserve(ReplyEncoder.CHUNK + piece);
      int start = out.position();
      if (chunks) {
        encoder.data(out, request, offset, piece, last);
      } else if (done == 0) {
        encoder.data(out, request, offset, length, true);
      }
      int data = out.position();
      try {
        export.backend().read(out.limit(data + piece), offset);
      } catch (IOException | RuntimeException | Error e) {
        out.clear().position(start);
        if (done > 0 && !chunks) {
          throw new IOException("a read failed of which a part was sent", e);
        }
        ByteBuffer error = output.reserve(ReplyEncoder.ERROR);
        encoder.errorAt(error, request, Failures.error(e), Failures.message(e), offset);
        return;
      }
      out.clear().position(data + piece);
      if (chunks && ZeroRuns.isZero(output.bytes(), data, data + piece)) {
        encoder.hole(out.position(start), request, offset, piece, last);
      }
      done += piece;
    }
  }

  /** Takes the payload off the input, also if it cannot be written. */
  void write(Request request) throws IOException {
    ByteBuffer in = input.buffer();
    long end = request.offset + request.length;
    Throwable failure = null;
    for (long at = request.offset; at < end; ) {
      long there = at + in.remaining();
      long to = there >= end ? end : there & -BLOCK;
      if (to <= at) {
        input.awaitMore();
        continue;
      }
      int limit = in.limit();
      int next = in.position() + (int) (to - at);
      if (failure == null) {
        try {
          export.backend().write(in.limit(next), at);
        } catch (IOException | RuntimeException | Error e) {
          failure = e;
        }
      }
      in.limit(limit).position(next);
      at = to;
    }
    if (failure != null) {
      ByteBuffer error = output.reserve(ReplyEncoder.ERROR);
      encoder.error(error, request, Failures.error(failure), Failures.message(failure));
    } else {
      encoder.done(output.reserve(ReplyEncoder.CHUNK), request);
    }
  }
}
