package dev.r3map.grpc;

import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** One of the two services, as a client sees it. Ranges are within the resource. */
sealed interface Protocol permits ResourceClient, MountClient {
  long size();

  /** Its {@code maxTransfer} is the most that {@link #read} and {@link #write} take. */
  Geometry geometry();

  void read(ByteBuffer dst, long offset) throws IOException;

  void write(ByteBuffer src, long offset) throws IOException;

  void sync() throws IOException;

  /** False if the service has no such thing, so that zeros must be written. */
  boolean zero(long offset, long length) throws IOException;

  void discard(long offset, long length) throws IOException;

  List<Extent> extents(long offset, long length) throws IOException;

  Optional<String> identity() throws IOException;
}
