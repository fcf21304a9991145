package dev.r3map.cli.copy;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Runs pieces of work, so many at once, each with a buffer; after the first failure none is begun
 * any more. Owns threads and memory until {@link #close}, which interrupts what still runs and
 * waits for it. One thread hands in the work.
 */
final class Workers implements AutoCloseable {
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final int count;
  private final BlockingQueue<ByteBuffer> buffers;
  private final AtomicReference<@Nullable Exception> failure = new AtomicReference<>();

  Workers(int count, int bufferSize) {
    this.count = count;
    this.buffers = new ArrayBlockingQueue<>(count);
    for (int i = 0; i < count; i++) {
      buffers.add(ByteBuffer.allocateDirect(bufferSize));
    }
  }

  /** What is to be done. */
  interface Work {
    /**
     * @param buffer cleared; not to be used afterwards
     */
    void run(ByteBuffer buffer) throws IOException;
  }

  /**
   * Begins with a piece of work as soon as a worker is free.
   *
   * @throws IOException if an earlier piece has failed
   */
  void submit(Work work) throws IOException, InterruptedException {
    ByteBuffer buffer = buffers.take();
    try {
      requireNoFailure();
    } catch (IOException | RuntimeException e) {
      buffers.add(buffer);
      throw e;
    }
    threads.execute(() -> {
      try {
        work.run(buffer.clear());
      } catch (IOException | RuntimeException e) {
        failure.compareAndSet(null, e);
      } finally {
        buffers.add(buffer);
      }
    });
  }

  /**
   * Waits until everything is done.
   *
   * @throws IOException if something failed
   */
  void finish() throws IOException, InterruptedException {
    for (int i = 0; i < count; i++) {
      buffers.take();
    }
    requireNoFailure();
  }

  private void requireNoFailure() throws IOException {
    switch (failure.get()) {
      case null -> {}
      case InterruptedIOException e -> throw e;
      case IOException e -> throw e;
      case RuntimeException e -> throw e;
      case Exception e -> throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
    threads.close();
  }
}
