package dev.r3map.nbd.client;

import static dev.r3map.nbd.protocol.Transmission.CMD_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;

import dev.r3map.backend.Extent;
import dev.r3map.internal.RangeSet;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One request, from the thread that makes it to its end. The connection fills it in and alone ends
 * it; until then the payload belongs to the connection, so the caller waits for the end whatever
 * happens.
 */
final class Request {
  /** What one reply may bring out of order: more is not worth the memory. */
  private static final int MOST_PIECES = 1 << 16;

  /** A longer list is cut, which the specification and our callers allow. */
  private static final int MOST_EXTENTS = 1 << 16;

  final int type;
  final long offset;
  final long length;

  /** The bytes to send, or the space to fill; a view of its own. */
  final @Nullable ByteBuffer payload;

  final long begun = System.nanoTime();
  final List<Extent> extents;
  private final Thread caller = Thread.currentThread();

  /** Number and place in the connection's table, and in the messages. */
  long cookie;

  /** What has arrived in order, up to its end; what was before that is in {@code pieces}. */
  private long runStart;

  private long runEnd;
  private @Nullable RangeSet pieces;
  private long arrived;
  private boolean statusCame;

  private int error;
  private String message = "";
  private @Nullable IOException failure;
  private boolean sent;
  private boolean hasReply;
  private volatile boolean ended;

  Request(int type, long offset, long length, @Nullable ByteBuffer payload) {
    this.type = type;
    this.offset = offset;
    this.length = length;
    this.payload = payload;
    this.sent = type != CMD_WRITE;
    this.extents = type == CMD_BLOCK_STATUS ? new ArrayList<>() : List.of();
  }

  /** Whether it may rightly take long although nothing travels. */
  boolean isPatient() {
    return payload == null && type != CMD_BLOCK_STATUS;
  }

  /**
   * The space for bytes that come next.
   *
   * @throws MalformedException if they were not asked for, or have come already
   */
  ByteBuffer space(long at, long bytes) throws MalformedException {
    ByteBuffer all = payload;
    if (type != CMD_READ || all == null) {
      throw new MalformedException("data for what is no read");
    }
    if (bytes <= 0 || at < offset || bytes > length || at - offset > length - bytes) {
      throw new MalformedException(
          "data outside what was asked for (offset=%d, length=%d)".formatted(at, bytes));
    }
    int from = (int) (at - offset);
    int to = from + (int) bytes;
    RangeSet others = pieces;
    if ((from < runEnd && to > runStart) || (others != null && others.overlaps(from, to))) {
      throw new MalformedException("data that came already (offset=%d)".formatted(at));
    }
    if (from == runEnd) {
      runEnd = to;
    } else {
      if (others == null) {
        others = new RangeSet();
        pieces = others;
      }
      if (others.count() == MOST_PIECES) {
        throw new MalformedException("a read in more than %d pieces".formatted(MOST_PIECES));
      }
      others.add(runStart, runEnd);
      runStart = from;
      runEnd = to;
    }
    arrived += bytes;
    return all.slice(from, (int) bytes);
  }

  /** A block status is about to come. */
  void statusComes() throws MalformedException {
    if (type != CMD_BLOCK_STATUS || statusCame) {
      throw new MalformedException("a block status that was not asked for");
    }
    statusCame = true;
  }

  /**
   * One more run, after those before it.
   *
   * @param bytes unsigned; it may go on beyond what was asked for
   */
  void status(long bytes, boolean zeros) throws MalformedException {
    if (bytes == 0) {
      throw new MalformedException("a block status for no bytes");
    }
    long at = extents.isEmpty() ? offset : extents.getLast().end();
    long left = offset + length - at;
    long most = Long.compareUnsigned(bytes, left) < 0 ? bytes : left;
    if (most == 0 || extents.size() == MOST_EXTENTS) {
      return;
    }
    if (!extents.isEmpty() && extents.getLast().hole() == zeros) {
      Extent last = extents.removeLast();
      extents.add(new Extent(last.offset(), last.length() + most, zeros));
    } else {
      extents.add(new Extent(at, most, zeros));
    }
  }

  /** The server refuses; the first error is the one that counts. */
  void refused(int code, String text) {
    if (error == 0) {
      error = code;
      message = text;
    }
  }

  /**
   * The reply is complete.
   *
   * @throws MalformedException if it is not
   */
  void finished() throws MalformedException {
    if (error == 0 && type == CMD_READ && arrived < length) {
      throw new MalformedException(
          "%d of %d bytes are missing".formatted(length - arrived, length));
    }
    if (error == 0 && type == CMD_BLOCK_STATUS && extents.isEmpty()) {
      throw new MalformedException("a block status that says nothing");
    }
  }

  /**
   * Its payload is on the way.
   *
   * @return whether that was the last that was missing
   */
  synchronized boolean sent() {
    sent = true;
    return hasReply;
  }

  /**
   * It has its reply; a server may refuse a write before it has got all of it.
   *
   * @return whether that was the last that was missing
   */
  synchronized boolean replied() {
    hasReply = true;
    return sent;
  }

  synchronized boolean hasReply() {
    return hasReply;
  }

  /** Hands it back to its caller. */
  void end(@Nullable IOException reason) {
    failure = reason;
    ended = true;
    LockSupport.unpark(caller);
  }

  boolean hasEnded() {
    return ended;
  }

  /** 0 if all is well; of a request that has ended. */
  int error() {
    return error;
  }

  /** What the server says about the error. */
  String message() {
    return message;
  }

  /** Why there was no reply, if there was none. */
  @Nullable IOException failure() {
    return failure;
  }
}
