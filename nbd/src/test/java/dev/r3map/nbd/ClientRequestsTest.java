package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Transmission.CMD_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.CMD_READ;
import static dev.r3map.nbd.protocol.Transmission.CMD_TRIM;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE;
import static dev.r3map.nbd.protocol.Transmission.CMD_WRITE_ZEROES;
import static dev.r3map.nbd.protocol.Transmission.EINVAL;
import static dev.r3map.nbd.protocol.Transmission.EIO;
import static dev.r3map.nbd.protocol.Transmission.ENOSPC;
import static dev.r3map.nbd.protocol.Transmission.EPERM;
import static dev.r3map.nbd.protocol.Transmission.FLAG_HAS_FLAGS;
import static dev.r3map.nbd.protocol.Transmission.REPLY_BLOCK_STATUS;
import static dev.r3map.nbd.protocol.Transmission.REPLY_BLOCK_STATUS_EXT;
import static dev.r3map.nbd.protocol.Transmission.REPLY_ERROR;
import static dev.r3map.nbd.protocol.Transmission.REPLY_FLAG_DONE;
import static dev.r3map.nbd.protocol.Transmission.REPLY_NONE;
import static dev.r3map.nbd.protocol.Transmission.REPLY_OFFSET_DATA;
import static dev.r3map.nbd.protocol.Transmission.REPLY_OFFSET_HOLE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.backend.Extent;
import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.nbd.client.Mode;
import dev.r3map.spi.BackendOptions;
import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the client makes of replies, right and wrong ones. */
@Timeout(60)
class ClientRequestsTest {
  private static final int SIZE = (1 << 20) + 1000;
  private static final Duration TIMEOUT = Duration.ofMillis(500);

  private final ScriptedServer peer = new ScriptedServer(SIZE);
  private NbdBackend backend;

  private NbdBackend open() throws IOException {
    BackendOptions options = BackendOptions.DEFAULT.withTimeout(TIMEOUT);
    backend = NbdBackend.at(peer.start().uri()).options(options).open();
    return backend;
  }

  @AfterEach
  void close() throws IOException {
    backend.close();
    peer.close();
  }

  // Sizes

  @Test
  void whatIsMoreThanTheMaximumIsSplit() throws Exception {
    peer.maximum = 64 << 10;
    Payload payload = Payload.of(1);
    open().write(payload.bytes(0, SIZE), 0);

    ByteBuffer back = ByteBuffer.allocateDirect(SIZE);
    backend.read(back, 0);

    assertThat(back.flip()).isEqualTo(payload.bytes(0, SIZE));
    assertThat(peer.calls).hasSize(2 * 17).allMatch(call -> call.length() <= 64 << 10);
  }

  @ParameterizedTest
  @EnumSource
  void bytesBesideBlocksStayAsTheyWere(Mode mode) throws Exception {
    peer.best = mode;
    peer.minimum = 4096;
    Payload below = Payload.of(2);
    Payload above = Payload.of(3);
    open().write(below.bytes(0, SIZE), 0);

    for (int[] range : new int[][] {{1, 5}, {4000, 200}, {8192, 4097}, {SIZE - 10, 10}}) {
      backend.write(above.bytes(range[0], range[1]), range[0]);
    }

    ByteBuffer expected = ByteBuffer.allocate(SIZE).put(below.bytes(0, SIZE));
    for (int[] range : new int[][] {{1, 5}, {4000, 200}, {8192, 4097}, {SIZE - 10, 10}}) {
      expected.position(range[0]).put(above.bytes(range[0], range[1]));
    }
    assertThat(peer.bytes(0, SIZE)).isEqualTo(expected.array());
    ByteBuffer back = ByteBuffer.allocate(SIZE - 3);
    backend.read(back, 3);
    assertThat(back.array()).isEqualTo(Arrays.copyOfRange(expected.array(), 3, SIZE));
  }

  @Test
  void writersOfOneBlockDoNotUndoEachOther() throws Exception {
    peer.minimum = 4096;
    NbdBackend open = open();
    Payload payload = Payload.of(4);

    CompletableFuture<?>[] writers = new CompletableFuture<?>[16];
    for (int i = 0; i < writers.length; i++) {
      int first = i * 64;
      writers[i] =
          Async.run(() -> {
            for (int at = first; at < 64 << 10; at += 1024) {
              open.write(payload.bytes(at, 64), at);
              open.write(payload.bytes(64 << 10, 4096), 64 << 10);
            }
          });
    }
    CompletableFuture.allOf(writers).get(30, TimeUnit.SECONDS);

    assertThat(ByteBuffer.wrap(peer.bytes(0, 68 << 10))).isEqualTo(payload.bytes(0, 68 << 10));
  }

  @Test
  void zerosOfPartsOfBlocksAreWritten() throws Exception {
    peer.minimum = 4096;
    byte[] ones = new byte[SIZE];
    Arrays.fill(ones, (byte) 1);
    open().write(ByteBuffer.wrap(ones), 0);

    backend.zero(100, 20_000);
    backend.discard(100, 12_000);

    Arrays.fill(ones, 100, 20_100, (byte) 0);
    assertThat(peer.bytes(0, SIZE)).isEqualTo(ones);
    assertThat(ofType(CMD_WRITE_ZEROES))
        .singleElement()
        .matches(call -> call.offset() == 4096 && call.length() == 12_288);
    assertThat(ofType(CMD_TRIM))
        .singleElement()
        .matches(call -> call.offset() == 4096 && call.length() == 4096);
  }

  @Test
  void aServerThatCannotZeroGetsZeros() throws Exception {
    peer.flags = FLAG_HAS_FLAGS;
    open().write(Payload.of(5).bytes(0, 10_000), 0);

    backend.zero(10, 9000);
    backend.discard(0, 10);
    backend.sync();

    assertThat(peer.bytes(10, 9010)).containsOnly(0);
    assertThat(peer.calls)
        .noneMatch(call -> call.type() == CMD_WRITE_ZEROES || call.type() == CMD_TRIM);
  }

  @Test
  void rangesBeyondThirtyTwoBitsAreSplit() throws Exception {
    peer.size = 10L << 30;
    peer.script =
        (call, out) -> {
          out.done(call);
          return true;
        };
    open().zero(0, 10L << 30);
    backend.discard(0, 10L << 30);

    assertThat(ofType(CMD_WRITE_ZEROES).stream().mapToLong(ScriptedServer.Call::length).sum())
        .isEqualTo(10L << 30);
    assertThat(ofType(CMD_TRIM).stream().mapToLong(ScriptedServer.Call::length).sum())
        .isEqualTo(10L << 30);
    assertThat(peer.calls).allMatch(call -> call.length() < 1L << 32);
  }

  private List<ScriptedServer.Call> ofType(int type) {
    return peer.calls.stream().filter(call -> call.type() == type).toList();
  }

  // Replies

  @Test
  void piecesAndHolesInAnyOrderMakeARead() throws Exception {
    Payload payload = Payload.of(6);
    peer.script =
        (call, out) -> {
          long at = call.offset();
          out.data(call, at + 3000, bytes(payload, 3000, 1000), false);
          out.data(call, at, bytes(payload, 0, 1000), false);
          byte[] hole = ByteBuffer.allocate(12).putLong(at + 1000).putInt(2000).array();
          out.chunk(0, REPLY_OFFSET_HOLE, call.cookie(), at, hole);
          out.chunk(REPLY_FLAG_DONE, REPLY_NONE, call.cookie(), at);
          return true;
        };
    for (ByteBuffer dst : List.of(ByteBuffer.allocate(4000), ByteBuffer.allocateDirect(4000))) {
      for (int i = 0; i < 4000; i++) {
        dst.put(i, (byte) 9);
      }
      NbdBackend open = backend == null ? open() : backend;
      open.read(dst, 50);

      ByteBuffer expected = ByteBuffer.allocate(4000).put(payload.bytes(0, 1000));
      expected.position(3000).put(payload.bytes(3000, 1000)).flip();
      assertThat(dst.flip()).isEqualTo(expected);
    }
  }

  private static byte[] bytes(Payload payload, int from, int length) {
    byte[] bytes = new byte[length];
    payload.bytes(from, length).get(bytes);
    return bytes;
  }

  @Test
  void extentsMayEndEarlyOrLate() throws Exception {
    peer.best = Mode.STRUCTURED;
    peer.script =
        (call, out) -> {
          ByteBuffer status = ByteBuffer.allocate(36).putInt(ScriptedServer.CONTEXT);
          status.putInt(1000).putInt(0).putInt(500).putInt(3).putInt(500).putInt(2);
          boolean whole = call.length() < SIZE / 2;
          status.putInt(whole ? -1 : 700).putInt(1);
          out.chunk(
              REPLY_FLAG_DONE, REPLY_BLOCK_STATUS, call.cookie(), call.offset(), status.array());
          return true;
        };

    assertThat(open().extents(0, SIZE))
        .containsExactly(Extent.data(0, 1000), Extent.hole(1000, 1000), Extent.data(2000, 700));
    assertThat(backend.extents(0, 5000))
        .containsExactly(Extent.data(0, 1000), Extent.hole(1000, 1000), Extent.data(2000, 3000));
  }

  @Test
  void extentsOfSixtyFourBitsAreUnderstood() throws Exception {
    peer.size = 100L << 30;
    peer.script =
        (call, out) -> {
          ByteBuffer status = ByteBuffer.allocate(40).putInt(ScriptedServer.CONTEXT).putInt(2);
          status.putLong(4096).putLong(0).putLong(200L << 30).putLong(3);
          out.chunk(
              REPLY_FLAG_DONE,
              REPLY_BLOCK_STATUS_EXT,
              call.cookie(),
              call.offset(),
              status.array());
          return true;
        };

    assertThat(open().extents(0, 100L << 30).getFirst()).isEqualTo(Extent.data(0, 4096));
    assertThat(backend.extents(0, 100L << 30).getLast().hole()).isTrue();
  }

  @Test
  void errorsBecomeWhatCallersUnderstand() throws Exception {
    open();
    assertRefused(ENOSPC).isInstanceOf(NoSpaceException.class);
    assertRefused(EPERM).isInstanceOf(ReadOnlyException.class);
    assertRefused(EINVAL).isInstanceOf(PermanentIOException.class);
    assertRefused(EIO)
        .isExactlyInstanceOf(IOException.class)
        .hasMessageContaining("cannot write (offset=7, length=3) nbd://127.0.0.1")
        .hasMessageContaining("the disk is on fire");
    assertRefused(9999).isExactlyInstanceOf(IOException.class);
  }

  private org.assertj.core.api.AbstractThrowableAssert<?, ?> assertRefused(int error) {
    peer.script =
        (call, out) -> {
          out.error(call, error, "the disk is\non fire");
          return true;
        };
    return assertThatThrownBy(() -> backend.write(ByteBuffer.allocate(3), 7));
  }

  // Servers that are broken, or worse

  private void assertNonsense(Mode mode, ScriptedServer.Script script, String what)
      throws Exception {
    peer.best = mode;
    peer.script = script;
    if (backend == null) {
      open();
    }
    assertThatThrownBy(() -> backend.read(ByteBuffer.allocate(4096), 0))
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("the server breaks the protocol")
        .hasMessageContaining(what);
    peer.script = null;
    backend.read(ByteBuffer.allocate(4096), 0);
  }

  @Test
  void nonsenseEndsTheConnectionAndTheNextCallHasANewOne() throws Exception {
    assertNonsense(
        Mode.STRUCTURED,
        (call, out) -> {
          out.raw(new byte[32]);
          return true;
        },
        "no reply: 0x00000000");
  }

  @ParameterizedTest
  @EnumSource
  void aReplyNobodyWaitsForIsNonsense(Mode mode) throws Exception {
    assertNonsense(
        mode,
        (call, out) -> {
          out.done(new ScriptedServer.Call(call.type(), call.cookie() + 64, 0, 0, call.data()));
          return true;
        },
        "a request that was not made");
  }

  @Test
  void aSecondReplyIsNonsense() throws Exception {
    peer.best = Mode.SIMPLE;
    peer.script =
        (call, out) -> {
          out.simple(call.cookie(), 0, new byte[4096]);
          out.simple(call.cookie(), 0, new byte[4096]);
          peer.script = null;
          return true;
        };
    open().read(ByteBuffer.allocate(4096), 0);
    Async.await(() -> backend.connections() == 0);
    backend.read(ByteBuffer.allocate(4096), 0);
  }

  @Test
  void dataOutsideTheRequestIsNonsense() throws Exception {
    for (long at : new long[] {-1, 1, 4096, Long.MAX_VALUE, Long.MIN_VALUE}) {
      assertNonsense(
          Mode.EXTENDED,
          (call, out) -> {
            out.data(call, at, new byte[4096], true);
            return true;
          },
          "outside what was asked for");
    }
  }

  @Test
  void dataThatComesTwiceIsNonsense() throws Exception {
    for (int at : new int[] {0, 1000, 1999, 3000}) {
      assertNonsense(
          Mode.STRUCTURED,
          (call, out) -> {
            out.data(call, 3000, new byte[1000], false);
            out.data(call, 0, new byte[2000], false);
            out.data(call, at, new byte[500], true);
            return true;
          },
          "came already");
    }
  }

  @Test
  void dataThatIsMissingIsNonsense() throws Exception {
    assertNonsense(
        Mode.STRUCTURED,
        (call, out) -> {
          out.data(call, 0, new byte[2000], false);
          out.chunk(REPLY_FLAG_DONE, REPLY_NONE, call.cookie(), 0);
          return true;
        },
        "2096 of 4096 bytes are missing");
  }

  @ParameterizedTest
  @EnumSource(names = {"STRUCTURED", "EXTENDED"})
  void lengthsNobodyAskedForAreNotAllocated(Mode mode) throws Exception {
    for (int type : new int[] {REPLY_OFFSET_DATA, REPLY_BLOCK_STATUS, REPLY_ERROR, 0x7000}) {
      assertNonsense(
          mode,
          (call, out) -> {
            ByteBuffer head = ByteBuffer.allocate(64);
            if (mode == Mode.EXTENDED) {
              head.putInt(0x6e8a278c).putShort((short) 1).putShort((short) type);
              head.putLong(call.cookie()).putLong(call.offset()).putLong(Long.MAX_VALUE - 7);
            } else {
              head.putInt(0x668e33ef).putShort((short) 1).putShort((short) type);
              head.putLong(call.cookie()).putInt(-4);
            }
            out.raw(head.array());
            return true;
          },
          "");
    }
  }

  @Test
  void aSimpleReplyToAReadIsNonsenseOnceStructuredOnesWereAgreedOn() throws Exception {
    assertNonsense(
        Mode.STRUCTURED,
        (call, out) -> {
          out.simple(call.cookie(), 0, new byte[4096]);
          return true;
        },
        "simple reply");
  }

  @Test
  void aBlockStatusOfNothingIsNonsense() throws Exception {
    peer.script =
        (call, out) -> {
          ByteBuffer status = ByteBuffer.allocate(24).putInt(ScriptedServer.CONTEXT).putInt(1);
          out.chunk(
              REPLY_FLAG_DONE,
              REPLY_BLOCK_STATUS_EXT,
              call.cookie(),
              call.offset(),
              status.array());
          return true;
        };

    assertThatThrownBy(() -> open().extents(0, SIZE))
        .isInstanceOf(PermanentIOException.class)
        .hasMessageContaining("for no bytes");
    assertThat(ofType(CMD_BLOCK_STATUS)).hasSize(1);
  }

  @Test
  void aServerThatStallsIsCutAndTheNextCallGoesOn() throws Exception {
    peer.script =
        (call, out) -> {
          out.data(call, 0, new byte[100], false);
          return true;
        };

    assertThatThrownBy(() -> open().read(ByteBuffer.allocate(4096), 0))
        .isExactlyInstanceOf(IOException.class)
        .hasMessageContaining("has not answered for 0.5 s");
    peer.script = null;
    backend.read(ByteBuffer.allocate(4096), 0);

    assertThat(ofType(CMD_READ)).hasSize(2);
    assertThat(ofType(CMD_WRITE)).isEmpty();
  }
}
