package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.OPT_EXTENDED_HEADERS;
import static dev.r3map.nbd.protocol.Handshake.OPT_SET_META_CONTEXT;
import static dev.r3map.nbd.protocol.Handshake.OPT_STRUCTURED_REPLY;
import static dev.r3map.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever a backend throws, for whatever command: the client gets an error, and goes on. */
@Timeout(60)
class FailureTest {
  private static final int SIZE = 1 << 20;
  private static final int LENGTH = 4096;

  enum Mode {
    SIMPLE(0),
    STRUCTURED(OPT_STRUCTURED_REPLY),
    EXTENDED(OPT_EXTENDED_HEADERS);

    private final int option;

    Mode(int option) {
      this.option = option;
    }
  }

  record Failure(String name, int error, Supplier<Throwable> made) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static final List<Failure> FAILURES =
      List.of(
          new Failure("transient", EIO, () -> new IOException("it broke")),
          new Failure("without text", EIO, IOException::new),
          new Failure("permanent", EIO, () -> new PermanentIOException("it broke")),
          new Failure("changed", EIO, () -> new ResourceChangedException("it broke")),
          new Failure("no space", ENOSPC, () -> new NoSpaceException("it broke")),
          new Failure(
              "disk full", ENOSPC, () -> new IOException("it broke: No space left on device")),
          new Failure("quota", ENOSPC, () -> new IOException("it broke: Disk quota exceeded")),
          new Failure("file limit", ENOSPC, () -> new IOException("it broke: File too large")),
          new Failure("read only", EPERM, () -> new ReadOnlyException("it broke")),
          new Failure("outside", EINVAL, () -> new IndexOutOfBoundsException("it broke")),
          new Failure("bug", EIO, () -> new IllegalStateException("it broke")),
          new Failure("no memory", ENOMEM, () -> new OutOfMemoryError("it broke")),
          new Failure("no stack", EIO, StackOverflowError::new),
          new Failure("virtual machine", EIO, () -> new InternalError("it broke")),
          new Failure(
              "interrupted",
              EIO,
              () -> {
                Thread.currentThread().interrupt();
                return new InterruptedIOException("it broke");
              }));

  /** Fails once, when it is told to. */
  private static final class Failing extends ForwardingBackend {
    private Failure next = FAILURES.getFirst();
    private boolean armed;

    Failing(Backend delegate) {
      super(delegate);
    }

    synchronized void failNext(Failure failure) {
      next = failure;
      armed = true;
    }

    @Override
    public Geometry geometry() {
      return Geometry.ANY;
    }

    @Override
    protected <T> T around(BackendCall call, Step<T> step) throws IOException {
      fail();
      return step.run();
    }

    private synchronized void fail() throws IOException {
      if (armed) {
        armed = false;
        switch (next.made.get()) {
          case IOException e -> throw e;
          case RuntimeException e -> throw e;
          case Error e -> throw e;
          case Throwable e -> throw new AssertionError(e);
        }
      }
    }
  }

  /** A command, with flags that a good client may set. */
  private record Command(int type, int flags) {}

  private static final List<Command> COMMANDS =
      List.of(
          new Command(CMD_READ, 0),
          new Command(CMD_WRITE, 0),
          new Command(CMD_WRITE, CMD_FLAG_FUA),
          new Command(CMD_FLUSH, 0),
          new Command(CMD_TRIM, 0),
          new Command(CMD_WRITE_ZEROES, 0),
          new Command(CMD_WRITE_ZEROES, CMD_FLAG_NO_HOLE),
          new Command(CMD_BLOCK_STATUS, 0));

  static Stream<Arguments> modesAndFailures() {
    return Stream.of(Mode.values())
        .flatMap(mode -> FAILURES.stream().map(it -> Arguments.of(mode, it)));
  }

  @ParameterizedTest
  @MethodSource("modesAndFailures")
  void everyCommandFailsAsItShouldAndTheNextOneWorks(Mode mode, Failure failure)
      throws IOException {
    try (MemoryBackend memory = MemoryBackend.of(SIZE);
        Failing backend = new Failing(memory);
        NbdServer server = NbdServer.serve(backend).start();
        RawClient client = connect(server, mode);
        Warnings warnings = new Warnings()) {
      for (Command command : COMMANDS) {
        if (command.type == CMD_BLOCK_STATUS && mode == Mode.SIMPLE) {
          continue;
        }
        backend.failNext(failure);
        send(client, mode, command);
        RawClient.Chunk refusal = client.chunk();
        assertThat(refusal.error()).as("%s", command).isEqualTo(failure.error);
        if (mode != Mode.SIMPLE) {
          assertThat(refusal.type()).isEqualTo(REPLY_ERROR);
          assertThat(
                  new String(refusal.data(), 6, refusal.data().length - 6, StandardCharsets.UTF_8))
              .isNotBlank()
              .containsAnyOf("it broke", "java.");
        }
        send(client, mode, command);
        assertThat(client.chunk().error()).as("%s again", command).isZero();
        if (command.type == CMD_READ && mode == Mode.SIMPLE) {
          client.in.skipNBytes(LENGTH);
        }
      }
      assertThat(warnings.seen()).isEmpty();
    }
  }

  @Test
  void aBackendThatTellsNoExtentsIsAskedNoMore() throws IOException {
    try (MemoryBackend memory = MemoryBackend.of(SIZE);
        NbdServer server =
            NbdServer.serve(
                    new ForwardingBackend(memory) {
                      @Override
                      public List<Extent> extents(long offset, long length) {
                        return List.of();
                      }
                    })
                .start();
        RawClient client = connect(server, Mode.STRUCTURED)) {
      send(client, Mode.STRUCTURED, new Command(CMD_BLOCK_STATUS, 0));
      assertThat(client.chunk().error()).isEqualTo(EIO);
      send(client, Mode.STRUCTURED, new Command(CMD_FLUSH, 0));
      assertThat(client.chunk().error()).isZero();
    }
  }

  private static RawClient connect(NbdServer server, Mode mode) throws IOException {
    RawClient client = RawClient.greeted(server);
    if (mode != Mode.SIMPLE) {
      client.ask(mode.option);
      client.ack();
      client.ask(OPT_SET_META_CONTEXT, RawClient.contexts("", "base:allocation"));
      client.ack();
    }
    client.go("");
    return client;
  }

  private static void send(RawClient client, Mode mode, Command command) throws IOException {
    int length = command.type == CMD_FLUSH ? 0 : LENGTH;
    if (mode == Mode.EXTENDED) {
      int payload = command.type == CMD_WRITE ? CMD_FLAG_PAYLOAD_LEN : 0;
      client.extended(command.type, command.flags | payload, 1, 0, length);
    } else {
      client.request(command.type, command.flags, 1, 0, length);
    }
    if (command.type == CMD_WRITE) {
      client.out.write(new byte[LENGTH]);
    }
  }
}
