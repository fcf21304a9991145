package dev.r3map.grpc;

import static dev.r3map.grpc.WireReader.bytesTag;
import static dev.r3map.grpc.WireReader.fixed64Tag;
import static dev.r3map.grpc.WireReader.varintTag;

import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The messages of {@code dev.r3map.v1.Resource}; {@code resource.proto} is their definition. */
final class ResourceWire {
  private static final String DATA_TWICE = "more than one content in a frame";

  private ResourceWire() {}

  /** Read's request and, with a fence, that of Zero, Discard and Extents; Sync's is empty. */
  record Range(long instance, Fence fence, long offset, long length) {}

  /** A frame of a write; The array of {@code data} is the receiver's to give back. */
  record WriteFrame(long instance, Fence fence, long offset, ByteBuffer data) {}

  static Outbound infoRequest() {
    return new Outbound(new WireWriter().varint(1, Limits.PROTOCOL_VERSION));
  }

  static Outbound info(ResourceInfo info) {
    Geometry geometry = info.geometry();
    WireWriter out =
        new WireWriter()
            .varint(1, info.version())
            .fixed64(2, info.instance())
            .varint(3, info.size())
            .varint(4, geometry.requiredChunk())
            .varint(5, geometry.preferredChunk())
            .varint(6, geometry.maxTransfer())
            .bool(7, geometry.readOnly());
    String identity = info.identity();
    return new Outbound(identity == null ? out : out.string(8, identity));
  }

  static ResourceInfo info(InputStream message) throws IOException {
    int version = 0;
    long instance = 0;
    long size = 0;
    long required = 0;
    long preferred = 0;
    long most = 0;
    boolean readOnly = false;
    @Nullable String identity = null;
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == varintTag(1)) {
        version = (int) in.varint();
      } else if (tag == fixed64Tag(2)) {
        instance = in.fixed64();
      } else if (tag == varintTag(3)) {
        size = in.varint();
      } else if (tag == varintTag(4)) {
        required = in.varint();
      } else if (tag == varintTag(5)) {
        preferred = in.varint();
      } else if (tag == varintTag(6)) {
        most = in.varint();
      } else if (tag == varintTag(7)) {
        readOnly = in.varint() != 0;
      } else if (tag == bytesTag(8)) {
        identity = in.string();
      } else {
        in.skip(tag);
      }
    }
    if (version < 1 || instance == 0 || size < 0) {
      throw new MalformedException(
          "version=%d, instance=%d, size=%d".formatted(version, instance, size));
    }
    if (required < 1
        || required > Limits.MAX_TRANSFER
        || preferred < 0
        || preferred > Integer.MAX_VALUE
        || most < required
        || most > Integer.MAX_VALUE) {
      throw new MalformedException(
          "required_chunk=%d, preferred_chunk=%d, max_transfer=%d"
              .formatted(required, preferred, most));
    }
    Geometry geometry = new Geometry((int) required, (int) preferred, (int) most, readOnly);
    return new ResourceInfo(version, instance, size, geometry, identity);
  }

  static Outbound readRequest(long instance, long offset, long length) {
    return new Outbound(new WireWriter().fixed64(1, instance).varint(2, offset).varint(3, length));
  }

  static Range readRequest(InputStream message) throws IOException {
    long instance = 0;
    long offset = 0;
    long length = 0;
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == fixed64Tag(1)) {
        instance = in.fixed64();
      } else if (tag == varintTag(2)) {
        offset = in.varint();
      } else if (tag == varintTag(3)) {
        length = in.varint();
      } else {
        in.skip(tag);
      }
    }
    return new Range(instance, Fence.NONE, offset, length);
  }

  static Outbound data(ByteBuffer data) {
    return new Outbound(new WireWriter().payload(1, data.remaining()), data);
  }

  static Outbound zeros(long count) {
    return new Outbound(new WireWriter().varint(2, count));
  }

  /** Puts what a frame holds into {@code dst}, which must have room for it. */
  static void readFrame(InputStream message, ByteBuffer dst) throws IOException {
    int start = dst.position();
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == bytesTag(1)) {
        int length = in.length();
        checkRoom(length, dst, start);
        in.bytes(dst, length);
      } else if (tag == varintTag(2)) {
        long zeros = in.varint();
        checkRoom(zeros, dst, start);
        Zeros.fill(dst, (int) zeros);
      } else {
        in.skip(tag);
      }
    }
  }

  private static void checkRoom(long length, ByteBuffer dst, int start) throws MalformedException {
    if (dst.position() != start) {
      throw new MalformedException(DATA_TWICE);
    }
    if (length < 0 || length > dst.remaining()) {
      throw new MalformedException(
          "frame of %d bytes where %d were left to come".formatted(length, dst.remaining()));
    }
  }

  static Outbound writeFrame(long instance, Fence fence, long offset, ByteBuffer data) {
    WireWriter out = new WireWriter();
    fence(out.fixed64(1, instance), fence);
    return new Outbound(out.varint(3, offset).payload(4, data.remaining()), data);
  }

  /** Takes an array for the frame's data, which the caller gives back. */
  static WriteFrame writeFrame(InputStream message, int most) throws IOException {
    long instance = 0;
    Fence fence = Fence.NONE;
    long offset = 0;
    @Nullable ByteBuffer data = null;
    boolean whole = false;
    try {
      WireReader in = new WireReader(message);
      for (int tag; (tag = in.tag()) != 0; ) {
        if (tag == fixed64Tag(1)) {
          instance = in.fixed64();
        } else if (tag == bytesTag(2)) {
          fence = fence(in.message());
        } else if (tag == varintTag(3)) {
          offset = in.varint();
        } else if (tag == bytesTag(4)) {
          if (data != null) {
            throw new MalformedException(DATA_TWICE);
          }
          int length = in.length();
          if (length > most) {
            throw new MalformedException(
                "frame of %d bytes, %d are the most".formatted(length, most));
          }
          data = Buffers.takeBuffer(length);
          in.bytes(data, length);
          data.flip();
        } else {
          in.skip(tag);
        }
      }
      whole = true;
      return new WriteFrame(instance, fence, offset, data == null ? Buffers.takeBuffer(0) : data);
    } finally {
      if (!whole && data != null) {
        Buffers.give(data);
      }
    }
  }

  static Outbound rangeRequest(long instance, Fence fence, long offset, long length) {
    WireWriter out = new WireWriter();
    fence(out.fixed64(1, instance), fence);
    return new Outbound(out.varint(3, offset).varint(4, length));
  }

  static Range rangeRequest(InputStream message) throws IOException {
    long instance = 0;
    Fence fence = Fence.NONE;
    long offset = 0;
    long length = 0;
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == fixed64Tag(1)) {
        instance = in.fixed64();
      } else if (tag == bytesTag(2)) {
        fence = fence(in.message());
      } else if (tag == varintTag(3)) {
        offset = in.varint();
      } else if (tag == varintTag(4)) {
        length = in.varint();
      } else {
        in.skip(tag);
      }
    }
    return new Range(instance, fence, offset, length);
  }

  /** The reply of Write, Zero and Discard. */
  static Outbound empty() {
    return new Outbound(new WireWriter());
  }

  /** The same, received: it may hold what later versions say, but no garbage. */
  static void empty(InputStream message) throws IOException {
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      in.skip(tag);
    }
  }

  static Outbound extents(List<Extent> extents) {
    WireWriter out = new WireWriter();
    for (Extent extent : extents) {
      out.message(1, new WireWriter().varint(1, extent.length()).bool(2, extent.hole()));
    }
    return new Outbound(out);
  }

  /** The extents from {@code offset} on, within {@code length} bytes. */
  static List<Extent> extents(InputStream message, long offset, long length) throws IOException {
    List<Extent> extents = new ArrayList<>();
    long done = 0;
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == bytesTag(1)) {
        Extent extent = extent(in.message(), offset + done, length - done);
        extents.add(extent);
        done += extent.length();
      } else {
        in.skip(tag);
      }
    }
    if (extents.isEmpty()) {
      throw new MalformedException("no extents");
    }
    return extents;
  }

  private static Extent extent(WireReader in, long offset, long most) throws IOException {
    long length = 0;
    boolean hole = false;
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == varintTag(1)) {
        length = in.varint();
      } else if (tag == varintTag(2)) {
        hole = in.varint() != 0;
      } else {
        in.skip(tag);
      }
    }
    if (length <= 0 || length > most) {
      throw new MalformedException("extent of %d bytes where %d are left".formatted(length, most));
    }
    return new Extent(offset, length, hole);
  }

  /** Sync's request and its reply. */
  static Outbound sync(long instance) {
    return new Outbound(new WireWriter().fixed64(1, instance));
  }

  static long sync(InputStream message) throws IOException {
    long instance = 0;
    WireReader in = new WireReader(message);
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == fixed64Tag(1)) {
        instance = in.fixed64();
      } else {
        in.skip(tag);
      }
    }
    return instance;
  }

  private static void fence(WireWriter out, Fence fence) {
    if (fence.client() != 0) {
      out.message(2, new WireWriter().fixed64(1, fence.client()).fixed64(2, fence.epoch()));
    }
  }

  private static Fence fence(WireReader in) throws IOException {
    long client = 0;
    long epoch = 0;
    for (int tag; (tag = in.tag()) != 0; ) {
      if (tag == fixed64Tag(1)) {
        client = in.fixed64();
      } else if (tag == fixed64Tag(2)) {
        epoch = in.fixed64();
      } else {
        in.skip(tag);
      }
    }
    return new Fence(client, epoch);
  }
}
