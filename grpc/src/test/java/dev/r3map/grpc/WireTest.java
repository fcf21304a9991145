package dev.r3map.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.grpc.proto.mount.v1.ReadAtArgs;
import dev.r3map.grpc.proto.mount.v1.ReadAtReply;
import dev.r3map.grpc.proto.mount.v1.SizeReply;
import dev.r3map.grpc.proto.mount.v1.WriteAtArgs;
import dev.r3map.grpc.proto.mount.v1.WriteAtReply;
import dev.r3map.grpc.proto.resource.v1.ExtentsReply;
import dev.r3map.grpc.proto.resource.v1.InfoReply;
import dev.r3map.grpc.proto.resource.v1.RangeRequest;
import dev.r3map.grpc.proto.resource.v1.ReadFrame;
import dev.r3map.grpc.proto.resource.v1.ReadRequest;
import dev.r3map.grpc.proto.resource.v1.SyncRequest;
import dev.r3map.grpc.proto.resource.v1.WriteFrame;
import io.grpc.KnownLength;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What we encode by hand is what protobuf encodes, and what protobuf encodes we decode. */
class WireTest {
  private static final byte[] FIVE = {1, 2, 3, 4, 5};

  private static byte[] bytes(Outbound message) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    assertThat(message.drainTo(out)).isEqualTo(message.available());
    assertThat(message.readAllBytes()).isEqualTo(out.toByteArray());
    return out.toByteArray();
  }

  private static InputStream in(Message message) {
    return in(message.toByteArray());
  }

  private static InputStream in(byte[] bytes) {
    return new Known(bytes);
  }

  private static final class Known extends ByteArrayInputStream implements KnownLength {
    Known(byte[] bytes) {
      super(bytes);
    }
  }

  @Test
  void theGoMessagesAreTheseBytes() throws Exception {
    HexFormat hex = HexFormat.of();
    assertThat(hex.formatHex(bytes(MountWire.readAtArgs(4096, 300)))).isEqualTo("08802010ac02");
    assertThat(hex.formatHex(bytes(MountWire.readAtReply(ByteBuffer.wrap(FIVE)))))
        .isEqualTo("080512050102030405");
    assertThat(hex.formatHex(bytes(MountWire.writeAtArgs(1, ByteBuffer.wrap(FIVE)))))
        .isEqualTo("080112050102030405");
    assertThat(hex.formatHex(bytes(MountWire.number(5)))).isEqualTo("0805");
    assertThat(bytes(MountWire.empty())).isEmpty();
    assertThat(bytes(MountWire.readAtArgs(0, 0))).isEmpty();
  }

  @Test
  void protobufEncodesTheGoMessagesAlike() throws Exception {
    for (long offset : new long[] {0, 1, 127, 128, 1L << 40, Long.MAX_VALUE, -1}) {
      ReadAtArgs read = ReadAtArgs.newBuilder().setLength(77).setOff(offset).build();
      assertThat(bytes(MountWire.readAtArgs(77, offset))).isEqualTo(read.toByteArray());
      assertThat(MountWire.readAtArgs(in(read))).isEqualTo(new MountWire.ReadAtArgs(77, offset));
      WriteAtArgs write =
          WriteAtArgs.newBuilder().setOff(offset).setP(ByteString.copyFrom(FIVE)).build();
      assertThat(bytes(MountWire.writeAtArgs(offset, ByteBuffer.wrap(FIVE))))
          .isEqualTo(write.toByteArray());
      assertThat(MountWire.writeAtArgs(in(write)))
          .isEqualTo(new MountWire.WriteAtArgs(offset, ByteBuffer.wrap(FIVE)));
      assertThat(bytes(MountWire.number(offset)))
          .isEqualTo(SizeReply.newBuilder().setSize(offset).build().toByteArray());
    }
    ByteBuffer direct = ByteBuffer.allocateDirect(100_000).put(Bytes.random(100_000, 1)).flip();
    assertThat(bytes(MountWire.readAtReply(direct)))
        .isEqualTo(
            ReadAtReply.newBuilder()
                .setN(100_000)
                .setP(ByteString.copyFrom(direct.duplicate()))
                .build()
                .toByteArray());
    assertThat(MountWire.readAtArgs(in(ReadAtArgs.newBuilder().setLength(-5).build())).length())
        .isEqualTo(-5);
    assertThat(MountWire.number(in(WriteAtReply.newBuilder().setLength(-5).build()))).isEqualTo(-5);
  }

  @Test
  void protobufEncodesOurMessagesAlike() throws Exception {
    ResourceInfo info =
        new ResourceInfo(1, -42, 1L << 50, new Geometry(4096, 0, 1 << 30, true), "v\u00f6");
    InfoReply reply =
        InfoReply.newBuilder()
            .setVersion(1)
            .setInstance(-42)
            .setSize(1L << 50)
            .setRequiredChunk(4096)
            .setMaxTransfer(1 << 30)
            .setReadOnly(true)
            .setIdentity("v\u00f6")
            .build();
    assertThat(bytes(ResourceWire.info(info))).isEqualTo(reply.toByteArray());
    assertThat(ResourceWire.info(in(reply))).isEqualTo(info);
    assertThat(ResourceWire.info(in(reply.toBuilder().clearIdentity().build())).identity())
        .isNull();

    ReadRequest read = ReadRequest.newBuilder().setInstance(9).setOffset(5).setLength(6).build();
    assertThat(bytes(ResourceWire.readRequest(9, 5, 6))).isEqualTo(read.toByteArray());
    assertThat(ResourceWire.readRequest(in(read)))
        .isEqualTo(new ResourceWire.Range(9, Fence.NONE, 5, 6));

    var fence =
        dev.r3map.grpc.proto.resource.v1.Fence.newBuilder().setClient(3).setEpoch(4).build();
    RangeRequest range =
        RangeRequest.newBuilder().setFence(fence).setOffset(5).setLength(1L << 40).build();
    assertThat(bytes(ResourceWire.rangeRequest(0, new Fence(3, 4), 5, 1L << 40)))
        .isEqualTo(range.toByteArray());
    assertThat(ResourceWire.rangeRequest(in(range)))
        .isEqualTo(new ResourceWire.Range(0, new Fence(3, 4), 5, 1L << 40));

    WriteFrame frame =
        WriteFrame.newBuilder()
            .setInstance(7)
            .setFence(fence)
            .setOffset(8)
            .setData(ByteString.copyFrom(FIVE))
            .build();
    assertThat(bytes(ResourceWire.writeFrame(7, new Fence(3, 4), 8, ByteBuffer.wrap(FIVE))))
        .isEqualTo(frame.toByteArray());
    assertThat(ResourceWire.writeFrame(in(frame), 5))
        .isEqualTo(new ResourceWire.WriteFrame(7, new Fence(3, 4), 8, ByteBuffer.wrap(FIVE)));

    List<Extent> extents = List.of(Extent.data(10, 5), Extent.hole(15, 1L << 40));
    assertThat(
            ResourceWire.extents(
                in(ExtentsReply.parseFrom(bytes(ResourceWire.extents(extents)))), 10, 1L << 41))
        .isEqualTo(extents);
    SyncRequest sync = SyncRequest.newBuilder().setInstance(-1).build();
    assertThat(bytes(ResourceWire.sync(-1))).isEqualTo(sync.toByteArray());
    assertThat(ResourceWire.sync(in(sync))).isEqualTo(-1);
    assertThat(bytes(ResourceWire.zeros(9)))
        .isEqualTo(ReadFrame.newBuilder().setZeros(9).build().toByteArray());
  }

  @Test
  void unknownFieldsArePassedOver() throws Exception {
    byte[] known = ReadAtArgs.newBuilder().setLength(3).setOff(4).build().toByteArray();
    byte[] unknown =
        HexFormat.of()
            .parseHex("9a0103aabbcc" + "a10101" + "00".repeat(7) + "ad0100000000" + "b00105");
    byte[] both = Arrays.copyOf(unknown, unknown.length + known.length);
    System.arraycopy(known, 0, both, unknown.length, known.length);
    assertThat(MountWire.readAtArgs(in(both))).isEqualTo(new MountWire.ReadAtArgs(3, 4));
  }

  @Test
  void garbageEndsInAnExceptionAndTakesNoMemory() {
    Random random = new Random(7);
    for (int i = 0; i < 20_000; i++) {
      byte[] garbage = new byte[1 + random.nextInt(40)];
      random.nextBytes(garbage);
      ByteBuffer dst = ByteBuffer.allocate(64);
      decode(() -> ResourceWire.readFrame(in(garbage), dst));
      decode(() -> ResourceWire.info(in(garbage)));
      decode(() -> ResourceWire.writeFrame(in(garbage), 1 << 20));
      decode(() -> ResourceWire.extents(in(garbage), 0, 100));
      decode(() -> MountWire.readAtReply(in(garbage), ByteBuffer.allocateDirect(64)));
      decode(() -> MountWire.writeAtArgs(in(garbage)));
    }
    assertThatIOException()
        .isThrownBy(() -> MountWire.writeAtArgs(in(HexFormat.of().parseHex("12ffffffff0700"))))
        .withMessageContaining("length 2147483647 where 1 bytes are left");
    assertThatIOException()
        .isThrownBy(
            () -> MountWire.writeAtArgs(in(HexFormat.of().parseHex("12ffffffffffffffffff01"))))
        .withMessageContaining("length -1");
  }

  @Test
  void aRevokedMessageIsNeverSent() {
    Outbound message = MountWire.writeAtArgs(0, ByteBuffer.wrap(FIVE));
    message.revoke();
    assertThatIOException().isThrownBy(() -> message.drainTo(new ByteArrayOutputStream()));
  }

  @Test
  void runsOfZerosAreFoundWhereTheyAreWorthAMessage() {
    byte[] bytes = new byte[256 << 10];
    assertThat(Zeros.dataRun(bytes, 0, bytes.length)).isZero();
    assertThat(Zeros.zeroRun(bytes, 0, bytes.length)).isEqualTo(bytes.length);
    bytes[100_000] = 1;
    int block = 100_000 & -4096;
    assertThat(Zeros.zeroRun(bytes, 0, bytes.length)).isEqualTo(block);
    assertThat(Zeros.dataRun(bytes, block, bytes.length)).isEqualTo(4096);
    bytes[block + 8192] = 1;
    assertThat(Zeros.dataRun(bytes, block, bytes.length)).isEqualTo(3 * 4096);
    assertThat(Zeros.dataRun(new byte[10], 0, 10)).isZero();
    assertThat(Zeros.dataRun(new byte[] {0, 1}, 0, 2)).isEqualTo(2);
  }

  private interface Decoding {
    void run() throws IOException;
  }

  private static void decode(Decoding decoding) {
    try {
      decoding.run();
    } catch (IOException e) {
      assertThat(e).isInstanceOf(MalformedException.class);
    }
  }
}
