package dev.r3map.grpc;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One call, made by a thread that waits for it. gRPC's callbacks run on the thread of the
 * connection, which takes a reply out of the transport's buffers while the processor still has it
 * at hand, and wakes the caller once, at the end.
 *
 * <p>A reply goes into the caller's buffer while the caller is in the call and never later: a
 * caller that leaves early (an interrupt, the deadline) abandons the call, which waits for a
 * callback that is at work, and what arrives after that is dropped.
 */
final class Exchange extends ClientCall.Listener<InputStream> implements Executor {
  /** Takes a message's content; the message is closed afterwards. */
  @FunctionalInterface
  interface Sink {
    void accept(InputStream message) throws IOException;
  }

  private final Thread caller = Thread.currentThread();
  private final Sink sink;
  private final long timeout;
  private boolean abandoned;

  private @Nullable ClientCall<InputStream, InputStream> call;
  private @Nullable Outbound unsent;
  private volatile @Nullable IOException violation;
  private volatile @Nullable Status status;
  private Metadata trailers = new Metadata();
  private volatile long deadline;

  /**
   * @param timeout in nanoseconds, how long the other side may be silent
   */
  Exchange(Sink sink, long timeout) {
    this.sink = sink;
    this.timeout = timeout;
  }

  /** Begins; {@code prefetch} messages of the reply may be on their way at once. */
  void start(ClientCall<InputStream, InputStream> newCall, Metadata headers, int prefetch) {
    call = newCall;
    progress();
    newCall.start(this, headers);
    newCall.request(prefetch);
  }

  /** Hands a message to the transport. Its payload must stay as it is until the call has ended. */
  void send(Outbound message) {
    unsent = message;
    call().sendMessage(message);
  }

  /** Waits until the transport wants another message; false if the call has ended instead. */
  boolean awaitReady() throws IOException {
    await(() -> call().isReady());
    return status == null;
  }

  /**
   * Says that nothing more will be sent and waits for the end.
   *
   * @throws IOException if the reply is not what was asked for, if the server is silent for too
   *     long, or on an interrupt; every other end is told by {@link #status}
   */
  void finish() throws IOException {
    if (status == null) {
      call().halfClose();
    }
    await(() -> false);
  }

  /** How the server or the transport ended the call; set after {@link #finish}. */
  Status status() {
    Status end = status;
    return end == null ? Status.UNKNOWN : end;
  }

  Metadata trailers() {
    return trailers;
  }

  /** Lets go of the call if it has not ended; for the end of every use. */
  void abandon() {
    if (status != null) {
      return;
    }
    synchronized (this) {
      if (abandoned) {
        return;
      }
      abandoned = true;
    }
    if (unsent != null) {
      unsent.revoke();
    }
    if (call != null) {
      call.cancel("given up", null);
    }
  }

  /** Runs a callback, on the thread of the connection. */
  @Override
  public synchronized void execute(Runnable task) {
    task.run();
  }

  @Override
  public void onMessage(InputStream message) {
    if (abandoned || violation != null) {
      return;
    }
    try {
      sink.accept(message);
      progress();
      call().request(1);
    } catch (IOException e) {
      breakOff(e);
    } catch (RuntimeException e) {
      breakOff(new IOException("unexpected failure while decoding a reply", e));
    }
  }

  private void breakOff(IOException cause) {
    violation = cause;
    LockSupport.unpark(caller);
  }

  @Override
  public void onReady() {
    progress();
    LockSupport.unpark(caller);
  }

  @Override
  public void onClose(Status end, Metadata endTrailers) {
    trailers = endTrailers;
    status = end;
    LockSupport.unpark(caller);
  }

  private void await(BooleanSupplier until) throws IOException {
    while (status == null && violation == null && !until.getAsBoolean()) {
      if (caller.isInterrupted()) {
        abandon();
        throw new InterruptedIOException("interrupted");
      }
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        abandon();
        throw new SilentException();
      }
      LockSupport.parkNanos(this, left);
    }
    IOException broken = violation;
    if (broken != null) {
      abandon();
      throw broken;
    }
  }

  private void progress() {
    deadline = System.nanoTime() + timeout;
  }

  private ClientCall<InputStream, InputStream> call() {
    if (call == null) {
      throw new IllegalStateException("the call was not started");
    }
    return call;
  }

  /** The deadline passed without a sign of life. */
  static final class SilentException extends IOException {
    private static final long serialVersionUID = 1L;

    SilentException() {
      super("no answer in time");
    }
  }
}
