package dev.r3map.nbd.server;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * Knows for how long the peer has kept a transfer waiting: a message that it began, or bytes that
 * it is to take. That it has nothing to say counts for nothing. Owns the wire.
 */
final class TimedWire implements Wire {
  private static final long NOT = Long.MIN_VALUE;

  private final Wire wire;
  private volatile long readingSince = NOT;
  private volatile long writingSince = NOT;

  TimedWire(Wire wire) {
    this.wire = wire;
  }

  /** Whether one transfer has taken that long so far, however much of it has come through. */
  boolean isStalled(Duration patience) {
    long now = System.nanoTime();
    return lasts(readingSince, now, patience) || lasts(writingSince, now, patience);
  }

  private static boolean lasts(long since, long now, Duration patience) {
    return since != NOT && now - since >= patience.toNanos();
  }

  @Override
  public int read(ByteBuffer dst) throws IOException {
    return wire.read(dst);
  }

  @Override
  public void readFully(ByteBuffer dst) throws IOException {
    if (!dst.hasRemaining()) {
      return;
    }
    readingSince = System.nanoTime();
    try {
      wire.readFully(dst);
    } finally {
      readingSince = NOT;
    }
  }

  @Override
  public void write(ByteBuffer[] src, int count) throws IOException {
    writingSince = System.nanoTime();
    try {
      wire.write(src, count);
    } finally {
      writingSince = NOT;
    }
  }

  @Override
  public void finish() throws IOException {
    wire.finish();
  }

  @Override
  public void endInput() throws IOException {
    wire.endInput();
  }

  @Override
  public void close() throws IOException {
    wire.close();
  }
}
