package dev.r3map.store;

import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;

/**
 * Native buffers of one chunk each, for bytes on their way to or from the remote. Bounds the memory
 * that all transfers of a region take together.
 */
final class BufferPool {
  private final int bytes;
  private final Semaphore permits;
  private final ConcurrentLinkedQueue<ByteBuffer> idle = new ConcurrentLinkedQueue<>();

  BufferPool(int bytes, int count) {
    this.bytes = bytes;
    this.permits = new Semaphore(count, true);
  }

  /** A cleared buffer; waits for one to come back if all are in use. */
  ByteBuffer take() throws InterruptedException {
    permits.acquire();
    ByteBuffer buffer = idle.poll();
    return buffer != null ? buffer.clear() : allocate();
  }

  /**
   * Memory that lives as long as somebody holds it: a backend that hangs may still write to its
   * buffer when everything else is closed. Unlike allocateDirect's it does not count towards the
   * JVM's limit of direct memory, which is the heap's size.
   */
  private ByteBuffer allocate() {
    return Arena.ofAuto().allocate(bytes, Chunks.BLOCK).asByteBuffer();
  }

  void give(ByteBuffer buffer) {
    idle.add(buffer);
    permits.release();
  }
}
