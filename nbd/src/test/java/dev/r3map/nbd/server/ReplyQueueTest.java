package dev.r3map.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.nbd.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ReplyQueueTest {
  /** Whoever writes is held, and fails when it is closed. */
  private static final class Stuck implements Wire {
    final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch closed = new CountDownLatch(1);

    @Override
    public void write(ByteBuffer[] src, int count) throws IOException {
      entered.countDown();
      try {
        closed.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      throw new IOException("closed");
    }

    @Override
    public int read(ByteBuffer dst) {
      return -1;
    }

    @Override
    public void finish() {}

    @Override
    public void endInput() {}

    @Override
    public void close() {
      closed.countDown();
    }
  }

  /** One byte, or a failure to have it. */
  private static final class Told implements ReplyQueue.Reply {
    final CountDownLatch ended = new CountDownLatch(1);
    private final boolean fails;

    Told(boolean fails) {
      this.fails = fails;
    }

    @Override
    public void addTo(List<ByteBuffer> parts) {
      if (fails) {
        throw new IllegalStateException("no reply");
      }
      parts.add(ByteBuffer.allocate(1));
    }

    @Override
    public void end() {
      ended.countDown();
    }
  }

  @Test
  void aReplyThatWasLeftToAnotherThreadEndsWhenThatOneFails() throws Exception {
    Stuck wire = new Stuck();
    ReplyQueue queue = new ReplyQueue(wire);
    FutureTask<Void> reader =
        new FutureTask<>(() -> {
          queue.write(new ByteBuffer[] {ByteBuffer.allocate(1)}, 1);
          return null;
        });
    Thread.ofVirtual().start(reader);
    wire.entered.await();
    Told reply = new Told(false);
    queue.send(reply);
    wire.close();
    assertThatThrownBy(() -> reader.get(10, TimeUnit.SECONDS))
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(IOException.class);
    assertThat(reply.ended.await(10, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void aReplyThatCannotBeMadeEndsTheConnection() throws Exception {
    Stuck wire = new Stuck();
    ReplyQueue queue = new ReplyQueue(wire);
    Told bad = new Told(true);
    queue.send(bad);
    assertThat(bad.ended.await(10, TimeUnit.SECONDS)).isTrue();
    assertThat(wire.closed.getCount()).isZero();
    assertThatThrownBy(() -> queue.write(new ByteBuffer[] {ByteBuffer.allocate(1)}, 1))
        .isInstanceOf(IOException.class);
  }
}
