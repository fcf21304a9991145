package dev.r3map.grpc;

import dev.r3map.backend.Geometry;
import io.grpc.Codec;
import io.grpc.DecompressorRegistry;
import java.time.Duration;

/** Numbers that client and server share, each with its reason. */
final class Limits {
  /** The version of {@code dev.r3map.v1.Resource} that this code speaks. */
  static final int PROTOCOL_VERSION = 1;

  static final int DEFAULT_PORT = 1337;

  /** What one call may carry; the Go r3map's limit too. */
  static final int MAX_TRANSFER = 32 << 20;

  /**
   * What one message of a stream carries: large enough that the cost of a message vanishes, small
   * enough that a transfer is pipelined and its memory bounded.
   */
  static final int FRAME = 1 << 20;

  /** What a message holds beside its bytes: tags, lengths, offsets, an identity. */
  static final int HEADER = 16 << 10;

  /** Pieces for Go servers, whose messages are limited to 4 MiB; a power of two, so aligned. */
  static final int LEGACY_PIECE = 2 << 20;

  /** As much as 1 Gbit/s holds at 64 ms; less starves a fast link. */
  static final int FLOW_CONTROL_WINDOW = 8 << 20;

  /** A side that is silent for so long while calls wait is asked whether it lives... */
  static final Duration KEEPALIVE = Duration.ofSeconds(10);

  /** ... and has so long to answer. */
  static final Duration KEEPALIVE_TIMEOUT = Duration.ofSeconds(5);

  /** A message takes as much memory as it says; no bombs. */
  static final DecompressorRegistry UNCOMPRESSED =
      DecompressorRegistry.emptyInstance().with(Codec.Identity.NONE, false);

  private Limits() {}

  /**
   * The most bytes in a frame of a resource with this geometry: whole chunks, of {@link #FRAME}
   * together if one is not more than that.
   */
  static int frame(Geometry geometry) {
    int chunk = geometry.requiredChunk();
    int most = Math.min(FRAME, geometry.maxTransfer());
    return most < chunk ? chunk : most - most % chunk;
  }
}
