package dev.r3map.it.failure;

import dev.r3map.testkit.Payload;
import io.grpc.KnownLength;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A server that speaks {@code dev.r3map.v1.Resource} and breaks it as it is told: by itself it
 * serves a payload from memory. Owns its socket and threads until {@link #close}.
 */
final class HostileServer implements AutoCloseable {
  static final String SERVICE = "dev.r3map.v1.Resource";

  /** The most that a good server sends in one message. */
  private static final int FRAME = 1 << 20;

  /** Longer than the deadline of the calls that meet it. */
  static final Duration LATE = Duration.ofMillis(1500);

  /** What can be wrong with an answer. */
  enum Fault {
    NONE,
    /** Fewer bytes than were asked for. */
    SHORT,
    /** More bytes than were asked for. */
    LONG,
    /** Random bytes, where a message is expected. */
    GARBAGE,
    /** A count that is negative. */
    NEGATIVE,
    /** A count of 2^62. */
    HUGE_COUNT,
    /** A length of 2 GiB before a few bytes. */
    HUGE_LENGTH,
    /** A length that does not fit into 63 bits. */
    OVERFLOWING_LENGTH,
    /** A message of 40 MiB. */
    HUGE_MESSAGE,
    /** Nothing, but a good end. */
    EMPTY,
    /** Messages without content, for ever. */
    ENDLESS,
    /** The right answer, too late. */
    LATE,
    /** No answer. */
    SILENT,
    /** A failure that explains itself at length. */
    FAILURE,
    /** The bytes of another instance. */
    OTHER_INSTANCE
  }

  volatile Fault reads = Fault.NONE;
  volatile Fault writes = Fault.NONE;
  volatile Fault syncs = Fault.NONE;
  volatile Fault extents = Fault.NONE;
  volatile Fault infos = Fault.NONE;
  volatile long reportedSize;

  /** Reads of this range are answered wrongly, all others well. */
  volatile long badFrom = 0;

  volatile long badTo = Long.MAX_VALUE;

  final AtomicInteger calls = new AtomicInteger();

  private final byte[] memory;
  private final long instance = new SplittableRandom().nextLong() | 1;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Server server;

  HostileServer(int size, Payload payload) throws IOException {
    memory = new byte[size];
    payload.fill(ByteBuffer.wrap(memory), 0);
    reportedSize = size;
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .directExecutor()
            .maxInboundMessageSize(64 << 20)
            .addService(
                ServerServiceDefinition.builder(SERVICE)
                    .addMethod(method("Info"), handler(this::info))
                    .addMethod(method("Read"), handler(this::read))
                    .addMethod(method("Write"), handler(this::write))
                    .addMethod(method("Extents"), handler(this::extents))
                    .addMethod(method("Sync"), handler(this::sync))
                    .build())
            .build()
            .start();
  }

  int port() {
    return server.getPort();
  }

  /** From now on it is a good one. */
  void behave() {
    reads = Fault.NONE;
    writes = Fault.NONE;
    syncs = Fault.NONE;
    extents = Fault.NONE;
  }

  byte[] memory(int offset, int length) {
    synchronized (memory) {
      return Arrays.copyOfRange(memory, offset, offset + length);
    }
  }

  private void info(Answer answer, List<byte[]> request) throws InterruptedException {
    if (infos != Fault.NONE) {
      misbehave(infos, answer);
      return;
    }
    answer.send(
        new Message()
            .varint(1, 1)
            .fixed64(2, instance)
            .varint(3, reportedSize)
            .varint(4, 1)
            .varint(5, 64 << 10)
            .varint(6, 32 << 20));
    answer.end();
  }

  private void read(Answer answer, List<byte[]> request) throws InterruptedException {
    long offset = Message.number(request.getFirst(), 2);
    int length = (int) Message.number(request.getFirst(), 3);
    byte[] bytes = memory((int) offset, length);
    boolean bad = reads != Fault.NONE && offset + length > badFrom && offset < badTo;
    switch (bad ? reads : Fault.NONE) {
      case NONE -> {
        for (int at = 0; at < length; at += FRAME) {
          int end = Math.min(at + FRAME, length);
          answer.send(new Message().bytes(1, Arrays.copyOfRange(bytes, at, end)));
        }
      }
      case SHORT -> answer.send(new Message().bytes(1, Arrays.copyOf(bytes, length - 1)));
      case LONG -> {
        answer.send(new Message().bytes(1, bytes));
        answer.send(new Message().bytes(1, new byte[1]));
      }
      case NEGATIVE -> answer.send(new Message().varint(2, -1));
      case HUGE_COUNT -> answer.send(new Message().varint(2, 1L << 62));
      case HUGE_LENGTH -> answer.send(new Message().bytes(1, Integer.MAX_VALUE, bytes));
      case OVERFLOWING_LENGTH -> answer.send(new Message().bytes(1, -1, bytes));
      case HUGE_MESSAGE -> answer.send(new Message().bytes(1, new byte[40 << 20]));
      case LATE -> {
        var _ = closed.await(LATE.toMillis(), TimeUnit.MILLISECONDS);
        answer.send(new Message().bytes(1, bytes));
      }
      default -> {
        misbehave(reads, answer);
        return;
      }
    }
    answer.end();
  }

  private void write(Answer answer, List<byte[]> frames) throws InterruptedException {
    if (writes == Fault.NONE || writes == Fault.LATE || writes == Fault.LONG) {
      synchronized (memory) {
        for (byte[] frame : frames) {
          byte[] data = Message.content(frame, 4);
          System.arraycopy(data, 0, memory, (int) Message.number(frame, 3), data.length);
        }
      }
    }
    switch (writes) {
      case NONE -> answer.send(new Message());
      case LONG -> {
        answer.send(new Message());
        answer.send(new Message());
      }
      default -> {
        misbehave(writes, answer);
        return;
      }
    }
    answer.end();
  }

  private void sync(Answer answer, List<byte[]> request) throws InterruptedException {
    switch (syncs) {
      case NONE -> answer.send(new Message().fixed64(1, instance));
      case OTHER_INSTANCE -> answer.send(new Message().fixed64(1, instance + 2));
      default -> {
        misbehave(syncs, answer);
        return;
      }
    }
    answer.end();
  }

  private void extents(Answer answer, List<byte[]> request) throws InterruptedException {
    long length = Message.number(request.getFirst(), 4);
    switch (extents) {
      case NONE -> answer.send(new Message().message(1, new Message().varint(1, length)));
      case LONG ->
          answer.send(new Message().message(1, new Message().varint(1, length + 1).varint(2, 1)));
      case SHORT -> answer.send(new Message().message(1, new Message().varint(1, 0)));
      case NEGATIVE ->
          answer.send(new Message().message(1, new Message().varint(1, -5).varint(2, 1)));
      case EMPTY -> answer.send(new Message());
      default -> {
        misbehave(extents, answer);
        return;
      }
    }
    answer.end();
  }

  private void misbehave(Fault fault, Answer answer) throws InterruptedException {
    switch (fault) {
      case GARBAGE -> {
        byte[] garbage = new byte[1000];
        new SplittableRandom(calls.get()).nextBytes(garbage);
        // A number that does not end, whatever follows.
        Arrays.fill(garbage, 0, 10, (byte) 0xff);
        answer.send(garbage);
        answer.end();
      }
      case EMPTY -> answer.end();
      case ENDLESS -> {
        while (!answer.isOver() && closed.getCount() > 0) {
          answer.awaitReady();
          answer.send(new byte[0]);
        }
      }
      case LATE -> {
        var _ = closed.await(LATE.toMillis(), TimeUnit.MILLISECONDS);
        answer.send(new Message());
        answer.end();
      }
      case SILENT -> closed.await();
      case FAILURE -> answer.fail(Status.INTERNAL.withDescription("x\n".repeat(2000)));
      default -> throw new IllegalArgumentException(fault.toString());
    }
  }

  @Override
  public void close() {
    closed.countDown();
    server.shutdownNow();
    try {
      server.awaitTermination();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private interface Action {
    void run(Answer answer, List<byte[]> request) throws InterruptedException;
  }

  /** What is sent back; dropped if nobody wants it any more. */
  private static final class Answer {
    private final ServerCall<byte[], byte[]> call;
    private boolean headed;

    Answer(ServerCall<byte[], byte[]> call) {
      this.call = call;
    }

    void send(Message message) {
      send(message.toByteArray());
    }

    synchronized void send(byte[] message) {
      if (call.isCancelled()) {
        return;
      }
      if (!headed) {
        headed = true;
        call.sendHeaders(new Metadata());
      }
      call.sendMessage(message);
    }

    synchronized void end() {
      fail(Status.OK);
    }

    synchronized void fail(Status status) {
      if (!call.isCancelled()) {
        call.close(status, new Metadata());
      }
    }

    boolean isOver() {
      return call.isCancelled();
    }

    void awaitReady() {
      while (!call.isReady() && !call.isCancelled()) {
        Thread.onSpinWait();
      }
    }
  }

  private ServerCallHandler<byte[], byte[]> handler(Action action) {
    return (call, headers) -> {
      calls.incrementAndGet();
      List<byte[]> messages = new CopyOnWriteArrayList<>();
      call.request(Integer.MAX_VALUE);
      return new ServerCall.Listener<>() {
        @Override
        public void onMessage(byte[] message) {
          messages.add(message);
        }

        @Override
        public void onHalfClose() {
          Thread.ofVirtual()
              .name("hostile")
              .start(() -> {
                try {
                  action.run(new Answer(call), messages);
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                } catch (IllegalStateException e) {
                  // Cancelled between the question and the answer.
                }
              });
        }
      };
    };
  }

  /** Of the type that lets it answer as often as it likes. */
  private static MethodDescriptor<byte[], byte[]> method(String name) {
    return MethodDescriptor.<byte[], byte[]>newBuilder()
        .setType(MethodType.BIDI_STREAMING)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .setRequestMarshaller(new Raw())
        .setResponseMarshaller(new Raw())
        .build();
  }

  private static final class Raw implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] message) {
      return new Bytes(message);
    }

    @Override
    public byte[] parse(InputStream message) {
      try {
        return message.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static final class Bytes extends ByteArrayInputStream implements KnownLength {
    Bytes(byte[] bytes) {
      super(bytes);
    }
  }
}
