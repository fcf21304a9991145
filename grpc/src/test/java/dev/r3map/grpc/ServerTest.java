package dev.r3map.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.grpc.proto.resource.v1.Fence;
import dev.r3map.grpc.proto.resource.v1.InfoReply;
import dev.r3map.grpc.proto.resource.v1.InfoRequest;
import dev.r3map.grpc.proto.resource.v1.RangeRequest;
import dev.r3map.grpc.proto.resource.v1.ReadFrame;
import dev.r3map.grpc.proto.resource.v1.ReadRequest;
import dev.r3map.grpc.proto.resource.v1.ResourceGrpc;
import dev.r3map.grpc.proto.resource.v1.SyncRequest;
import dev.r3map.grpc.proto.resource.v1.WriteFrame;
import dev.r3map.grpc.proto.resource.v1.WriteReply;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The server, as clients that are not ours see it. */
@Timeout(60)
class ServerTest {
  private static final int MIB = 1 << 20;
  private static final Metadata.Key<String> ERROR =
      Metadata.Key.of("r3map-error", Metadata.ASCII_STRING_MARSHALLER);

  private Scripted scripted;
  private GrpcServer server;
  private ManagedChannel channel;
  private ResourceGrpc.ResourceBlockingStub stub;
  private InfoReply info;

  @BeforeEach
  void open() throws Exception {
    scripted = new Scripted(64L * MIB);
    server = GrpcServer.serve(scripted).start();
    channel = NettyChannelBuilder.forAddress("localhost", server.port()).usePlaintext().build();
    stub = ResourceGrpc.newBlockingStub(channel);
    info = stub.info(InfoRequest.newBuilder().setVersion(1).build());
  }

  @AfterEach
  void close() throws Exception {
    channel.shutdownNow();
    server.close();
    scripted.close();
  }

  @Test
  void infoSaysWhatIsServed() {
    assertThat(info.getVersion()).isEqualTo(1);
    assertThat(info.getInstance()).isNotZero();
    assertThat(info.getSize()).isEqualTo(64L * MIB);
    assertThat(info.getRequiredChunk()).isEqualTo(1);
    assertThat(info.getMaxTransfer()).isEqualTo(Integer.MAX_VALUE);
    assertThat(info.hasIdentity()).isFalse();
  }

  @Test
  void framesOfAReadAreAtMostAMebibyteAndZerosAreCounted() throws Exception {
    byte[] bytes = Bytes.random(3 * MIB, 1);
    Bytes.write(scripted.memory, 0, bytes);
    Iterator<ReadFrame> frames =
        stub.read(ReadRequest.newBuilder().setLength(8L * MIB).setOffset(100).build());
    ByteString data = ByteString.EMPTY;
    long zeros = 0;
    while (frames.hasNext()) {
      ReadFrame frame = frames.next();
      assertThat(frame.getData().size()).isLessThanOrEqualTo(MIB);
      data = data.concat(frame.getData());
      zeros += frame.getZeros();
    }
    assertThat(data.size() + zeros).isEqualTo(8L * MIB);
    assertThat(data.substring(0, 3 * MIB - 100))
        .isEqualTo(ByteString.copyFrom(bytes, 100, 3 * MIB - 100));
  }

  @Test
  void requestsThatMakeNoSenseAreRefusedAndTheConnectionLives() throws Exception {
    for (long[] range :
        new long[][] {{-1, 1}, {0, -1}, {0, 33L * MIB}, {0, Long.MAX_VALUE}, {64L * MIB, 1}}) {
      assertThatThrownBy(() ->
              stub.read(ReadRequest.newBuilder().setOffset(range[0]).setLength(range[1]).build())
                  .hasNext())
          .isInstanceOf(StatusRuntimeException.class);
    }
    assertThatThrownBy(() -> stub.zero(RangeRequest.newBuilder().setLength(Long.MAX_VALUE).build()))
        .isInstanceOf(StatusRuntimeException.class);
    assertThat(code(write())).isEqualTo(Status.Code.INVALID_ARGUMENT);
    assertThat(code(write(frame(0, 1), frame(5, 1)))).isEqualTo(Status.Code.INVALID_ARGUMENT);
    assertThat(code(write(frame(0, 2 * MIB)))).isEqualTo(Status.Code.INVALID_ARGUMENT);
    assertThat(code(write(frame(64 * MIB, 1)))).isEqualTo(Status.Code.OUT_OF_RANGE);
    assertThat(write(frame(0, 10), frame(10, 10)).get()).isNotNull();
  }

  @Test
  void requestsForAnotherInstanceDoNothing() throws Exception {
    long other = info.getInstance() + 1;
    assertRefused("instance", () -> stub.sync(SyncRequest.newBuilder().setInstance(other).build()));
    assertRefused(
        "instance",
        () -> stub.read(ReadRequest.newBuilder().setInstance(other).setLength(1).build()).next());
    assertRefused(
        "instance", () -> stub.zero(RangeRequest.newBuilder().setInstance(other).build()));
    assertThat(code(write(frame(0, 1).toBuilder().setInstance(other).build())))
        .isEqualTo(Status.Code.FAILED_PRECONDITION);
    assertThat(scripted.writes).hasValue(0);
    assertThat(scripted.syncs).hasValue(0);
  }

  @Test
  void anEpochThatIsOverDoesNothing() throws Exception {
    Fence later = Fence.newBuilder().setClient(5).setEpoch(2).build();
    Fence earlier = Fence.newBuilder().setClient(5).setEpoch(1).build();
    stub.zero(RangeRequest.newBuilder().setFence(later).setLength(1).build());

    assertRefused("fenced", () -> stub.zero(RangeRequest.newBuilder().setFence(earlier).build()));
    assertThat(code(write(frame(0, 1).toBuilder().setFence(earlier).build())))
        .isEqualTo(Status.Code.ABORTED);
    assertThat(scripted.writes).hasValue(0);
    write(frame(0, 1).toBuilder().setFence(later).build()).get();
  }

  @Test
  void aCancelledCallStopsItsWork() throws Exception {
    CountDownLatch working = new CountDownLatch(1);
    CountDownLatch stopped = new CountDownLatch(1);
    scripted.script =
        operation -> {
          working.countDown();
          try {
            Thread.sleep(30_000);
          } catch (InterruptedException e) {
            stopped.countDown();
            throw e;
          }
        };
    ClientCall<ReadRequest, ReadFrame> call =
        channel.newCall(ResourceGrpc.getReadMethod(), io.grpc.CallOptions.DEFAULT);
    call.start(new ClientCall.Listener<>() {}, new Metadata());
    call.sendMessage(ReadRequest.newBuilder().setLength(10).build());
    call.halfClose();
    working.await();

    call.cancel("enough", null);

    assertThat(stopped.await(10, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void aSlowReaderHoldsBackTheBackend() throws Exception {
    AtomicInteger reads = new AtomicInteger();
    scripted.script = operation -> reads.incrementAndGet();
    Bytes.write(scripted.memory, 0, Bytes.random(64 * MIB, 1));
    List<ClientCall<ReadRequest, ReadFrame>> calls = new ArrayList<>();
    Semaphore arrived = new Semaphore(0);
    for (int i = 0; i < 2; i++) {
      ClientCall<ReadRequest, ReadFrame> call =
          channel.newCall(ResourceGrpc.getReadMethod(), io.grpc.CallOptions.DEFAULT);
      call.start(
          new ClientCall.Listener<>() {
            @Override
            public void onMessage(ReadFrame frame) {
              arrived.release();
            }
          },
          new Metadata());
      call.request(1);
      call.sendMessage(ReadRequest.newBuilder().setLength(32L * MIB).build());
      call.halfClose();
      calls.add(call);
    }
    arrived.acquire(2);
    int before;
    do {
      before = reads.get();
      Thread.sleep(200);
    } while (reads.get() != before);

    assertThat(before).isLessThan(40);
    calls.forEach(call -> call.request(100));
    assertThat(arrived.tryAcquire(62, 20, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void memoryForCallsInFlightIsBounded() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    AtomicInteger reading = new AtomicInteger();
    scripted.script =
        operation -> {
          reading.incrementAndGet();
          go.await();
        };
    try (GrpcServer small = GrpcServer.serve(scripted).memory(32L * MIB).start();
        Backend backend = Backends.open(small.uri());
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<?>> reads = new ArrayList<>();
      for (int i = 0; i < 100; i++) {
        reads.add(executor.submit(() -> Bytes.read(backend, 0, MIB)));
      }
      while (reading.get() < 32) {
        Thread.sleep(5);
      }
      Thread.sleep(100);
      assertThat(reading).hasValue(32);
      go.countDown();
      for (Future<?> read : reads) {
        read.get();
      }
    }
  }

  @Test
  void aMessageThatIsLongerThanExpectedIsRefusedIfThereIsNoMemoryForIt() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    CountDownLatch reading = new CountDownLatch(32);
    scripted.script =
        operation -> {
          reading.countDown();
          go.await();
        };
    UnknownFieldSet.Field filling =
        UnknownFieldSet.Field.newBuilder()
            .addLengthDelimited(ByteString.copyFrom(new byte[20 * MIB]))
            .build();
    InfoRequest large =
        InfoRequest.newBuilder()
            .setUnknownFields(UnknownFieldSet.newBuilder().addField(100, filling).build())
            .build();
    try (GrpcServer small = GrpcServer.serve(scripted).memory(32L * MIB).start();
        Backend backend = Backends.open(small.uri());
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      ManagedChannel own =
          NettyChannelBuilder.forAddress("localhost", small.port()).usePlaintext().build();
      ResourceGrpc.ResourceBlockingStub asking = ResourceGrpc.newBlockingStub(own);
      List<Future<?>> reads = new ArrayList<>();
      for (int i = 0; i < 32; i++) {
        reads.add(executor.submit(() -> Bytes.read(backend, 0, MIB)));
      }
      reading.await();
      assertThatThrownBy(() -> asking.info(large))
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE));
      go.countDown();
      for (Future<?> read : reads) {
        read.get();
      }
      // What a message took is given back: there is none for two at a time.
      for (int i = 0; i < 5; i++) {
        await()
            .atMost(Duration.ofSeconds(10))
            .ignoreExceptionsInstanceOf(StatusRuntimeException.class)
            .until(() -> asking.info(large).getSize() == scripted.size());
      }
      own.shutdownNow();
    }
  }

  @Test
  void aRoundTripDelaysEveryCallAndLimitsNone() throws Exception {
    Duration delay = Duration.ofMillis(200);
    try (GrpcServer far = GrpcServer.serve(scripted).roundTrip(delay).start();
        Backend backend = Backends.open(far.uri());
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      long start = System.nanoTime();
      List<Future<?>> reads = new ArrayList<>();
      for (int i = 0; i < 500; i++) {
        reads.add(executor.submit(() -> Bytes.read(backend, 0, 4096)));
      }
      for (Future<?> read : reads) {
        read.get();
      }
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      assertThat(took).isBetween(delay, Duration.ofSeconds(5));
    }
  }

  @Test
  void closingLetsCallsInFlightEndAndCutsOffThoseThatDoNot() throws Exception {
    CountDownLatch reading = new CountDownLatch(2);
    scripted.script =
        operation -> {
          reading.countDown();
          if (operation.equals("read")) {
            Thread.sleep(300);
          } else {
            Thread.sleep(30_000);
          }
        };
    try (Backend backend = Backends.open(server.uri());
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      Future<byte[]> read = executor.submit(() -> Bytes.read(backend, 0, 10));
      Future<?> sync =
          executor.submit(() -> {
            backend.sync();
            return null;
          });
      reading.await();

      long start = System.nanoTime();
      server.close();
      server.close();

      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(8));
      assertThat(read.get()).hasSize(10);
      assertThatThrownBy(sync::get).isInstanceOf(ExecutionException.class);
    }
    scripted.script = operation -> {};
    scripted.read(ByteBuffer.allocate(1), 0);
  }

  @Test
  void closingWaitsForAllCallsThatDoNotEndTogether() throws Exception {
    int calls = 30;
    CountDownLatch syncing = new CountDownLatch(calls);
    CountDownLatch never = new CountDownLatch(1);
    scripted.script =
        operation -> {
          syncing.countDown();
          while (never.getCount() > 0) {
            try {
              never.await();
            } catch (InterruptedException e) {
              // Stubborn.
            }
          }
        };
    for (int i = 0; i < calls; i++) {
      var _ = ResourceGrpc.newFutureStub(channel).sync(SyncRequest.getDefaultInstance());
    }
    syncing.await();

    long start = System.nanoTime();
    server.close();
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(30));
    never.countDown();
  }

  @Test
  void nothingIsLeftBehindByServersAndClients() throws Exception {
    try (MemoryBackend memory = MemoryBackend.of(MIB)) {
      cycle(memory);
      int threads = threads();
      long descriptors = descriptors();
      for (int i = 0; i < 10; i++) {
        cycle(memory);
      }
      // Threads end a moment after what they served was closed, those of the first cycle, too.
      await()
          .atMost(Duration.ofSeconds(10))
          .untilAsserted(() -> {
            assertThat(threads()).isLessThanOrEqualTo(threads);
            assertThat(descriptors()).isLessThanOrEqualTo(descriptors + 2);
          });
    }
  }

  private static void cycle(Backend memory) throws Exception {
    try (GrpcServer one = GrpcServer.serve(memory).start();
        Backend backend = Backends.open(one.uri())) {
      Bytes.read(backend, 0, 1000);
    }
    assertThatIOException()
        .isThrownBy(() -> Backends.open(java.net.URI.create("grpc://localhost:1")));
  }

  private static int threads() {
    return (int)
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().contains("grpc"))
            .count();
  }

  private static long descriptors() throws Exception {
    try (var files = java.nio.file.Files.list(java.nio.file.Path.of("/proc/self/fd"))) {
      return files.count();
    }
  }

  private static WriteFrame frame(long offset, int length) {
    return WriteFrame.newBuilder()
        .setOffset(offset)
        .setData(ByteString.copyFrom(new byte[length]))
        .build();
  }

  private CompletableFuture<WriteReply> write(WriteFrame... frames) {
    CompletableFuture<WriteReply> reply = new CompletableFuture<>();
    StreamObserver<WriteFrame> request =
        ResourceGrpc.newStub(channel)
            .write(
                new StreamObserver<>() {
                  @Override
                  public void onNext(WriteReply value) {
                    reply.complete(value);
                  }

                  @Override
                  public void onError(Throwable failure) {
                    reply.completeExceptionally(failure);
                  }

                  @Override
                  public void onCompleted() {
                    reply.completeExceptionally(new IllegalStateException("no reply"));
                  }
                });
    for (WriteFrame frame : frames) {
      request.onNext(frame);
    }
    request.onCompleted();
    return reply;
  }

  private static Status.Code code(Future<?> call) throws InterruptedException {
    try {
      call.get();
      return Status.Code.OK;
    } catch (ExecutionException e) {
      return Status.fromThrowable(e.getCause()).getCode();
    }
  }

  private static void assertRefused(
      String kind, org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> assertThat(e.getTrailers().get(ERROR)).isEqualTo(kind));
  }
}
